/**
 * Publishing over NATS. The entry of the bucket is replaced only at the revision that we know: nobody is overwritten. Only who holds the
 * entry writes transitions, in order, each with an id by which a repeat is known.
 *
 * Whoever finds the entry of another machine under its name leaves it alone, and puts a claim beside it; the holder finds claims when it
 * has published. An entry that has not moved for three of its heartbeats belongs to a machine that is gone, and is taken over; claims go
 * by themselves, with the bucket's age limit.
 */
import type { Transition } from '../model/presence.ts';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import type { Clock } from '../system/clock.ts';
import type { NatsSession } from './nats-connect.ts';
import {
  beginPut,
  emptyNatsLedger,
  forgetNatsLedger,
  holdAt,
  type NatsLedger,
  readNatsLedger,
  watchEntry,
  writeNatsLedger,
} from './nats-ledger.ts';
import {
  BUCKET_STREAM,
  claimKey,
  claimsFilter,
  hostKey,
  isNatsName,
  keyOfSubject,
  subjectOfKey,
  TRANSITIONS,
  transitionSubject,
} from './nats-names.ts';
import { BEATS_KEPT, type Bucket, codeOf, ensureBucket, ensureStream } from './nats-places.ts';
import {
  contenderOf,
  digestOfValue,
  formatTransition,
  formatValue,
  machineOf,
  messageId,
  parseValue,
} from './nats-values.ts';
import type { Contender, Outgoing, PublishAnswer } from './store.ts';

export interface NatsPublisherOptions {
  /** Of the ledger. */
  readonly folder: string;
  readonly heartbeatMs: number;
  readonly clock: Clock;
}

export interface NatsPublisher {
  /** Takes our entry away under a name that is ours no more. Not what another machine has there by now. */
  leave(session: NatsSession, name: string): Promise<Result<null>>;
  publish(session: NatsSession, out: Outgoing): Promise<Result<PublishAnswer>>;
}

interface Held {
  readonly ledger: NatsLedger;
  /** null: we hold the entry. */
  readonly holder: Contender | null;
}

/** Others that moved our entry between a look and a put. */
const TRIES = 4;
const CLAIMS_MAX = 8;
const WRONG_REVISION: readonly (number | null)[] = [10071, 10164];
const NO_MESSAGE = 10037;
const LEFT = '{"left":true}';
const MESSAGE_OVERHEAD_BYTES = 4 * 1024;

export function createNatsPublisher({ folder, heartbeatMs, clock }: NatsPublisherOptions): NatsPublisher {
  /** Found for this connection. */
  const places = new WeakMap<NatsSession, Bucket>();

  async function placesOf(session: NatsSession): Promise<Result<Bucket>> {
    const known = places.get(session);
    if (known !== undefined) return ok(known);
    const bucket = await ensureBucket(session, heartbeatMs);
    if (!bucket.ok) return bucket;
    const stream = await ensureStream(session);
    if (!stream.ok) return stream;
    places.set(session, bucket.value);
    return bucket;
  }

  function save(host: string, ledger: NatsLedger): NatsLedger {
    writeNatsLedger(folder, host, ledger);
    return ledger;
  }

  async function publish(session: NatsSession, out: Outgoing): Promise<Result<PublishAnswer>> {
    const { host } = out;
    if (!isNatsName(host)) return fail(trouble('config', 'expected the name of a host, found another text'));
    const bucket = await placesOf(session);
    if (!bucket.ok) return bucket;
    const known = readNatsLedger(folder, host);
    const held = await holdEntry(bucket.value.kv, out, known);
    if (!held.ok) return held;
    if (held.value.holder !== null) {
      save(host, { ...held.value.ledger, hasClaim: true });
      return claim(bucket.value, out, held.value.holder);
    }
    let { ledger } = held.value;
    const maxBytes = (session.connection.info?.max_payload ?? 1024 * 1024) - MESSAGE_OVERHEAD_BYTES;
    for (const transition of await missingOf(session, out)) {
      await session.js.publish(transitionSubject(host), formatTransition(transition, maxBytes), {
        msgID: messageId(out.id, transition),
        expect: { streamName: TRANSITIONS },
      });
    }
    ledger = save(host, { ...ledger, isUnsure: false, begun: [] });
    // It is delivered. Whatever goes wrong from here on is no reason to deliver it again.
    const contender = await contenderAt(session, bucket.value, out).catch(() => null);
    if (ledger.hasClaim) {
      await bucket.value.kv.purge(claimKey(host, out.id, out.bootId)).catch(() => {});
      save(host, { ...ledger, hasClaim: false });
    }
    return ok({ kind: 'published', contender });
  }

  /** Puts our presence, unless another machine holds the entry. */
  async function holdEntry(kv: Bucket['kv'], out: Outgoing, known: NatsLedger | null): Promise<Result<Held>> {
    const key = hostKey(out.host);
    const value = formatValue(out.presence);
    let ledger = known ?? emptyNatsLedger;
    let revision = ledger.isUnsure ? null : ledger.revision;
    for (let attempt = 0; attempt < TRIES; attempt += 1) {
      if (revision === null) {
        const entry = await kv.get(key);
        if (entry === null || entry.operation !== 'PUT') revision = entry?.revision ?? 0;
        else {
          const found = { revision: entry.revision, value: entry.string() };
          const settled = settle(out, known, ledger, found);
          ledger = settled.ledger;
          if (settled.holder !== null) return ok({ ledger, holder: settled.holder });
          revision = entry.revision;
        }
      }
      ledger = save(out.host, beginPut(ledger, digestOfValue(value)));
      try {
        const put = await kv.put(key, value, { previousSeq: revision });
        return ok({ ledger: holdAt(ledger, put), holder: null });
      } catch (error) {
        if (!WRONG_REVISION.includes(codeOf(error))) throw error;
        revision = null;
      }
    }
    return fail(
      trouble(
        'slow-down',
        `expected the entry of ${out.host} to stay for a moment, found it moved ${TRIES} times`,
      ),
    );
  }

  function settle(
    out: Outgoing,
    known: NatsLedger | null,
    ledger: NatsLedger,
    entry: { revision: number; value: string },
  ): Held {
    const isOurs = entry.revision === ledger.revision || ledger.begun.includes(digestOfValue(entry.value));
    if (isOurs) return { ledger, holder: null };
    const machine = machineOf(parseValue(entry.value));
    // Everything that we know was lost, and this is what we put before.
    if (known === null && machine?.id === out.id && machine.bootId === out.bootId)
      return { ledger, holder: null };
    const now = { monotonic: clock.monotonic(), bootId: out.bootId };
    const watched = watchEntry({ ...ledger, isUnsure: true }, entry.revision, now);
    const silentMs = BEATS_KEPT * (machine?.heartbeatMs ?? heartbeatMs);
    return { ledger: watched.ledger, holder: watched.unmovedMs >= silentMs ? null : contenderOf(machine) };
  }

  /** Another machine holds the name: we say beside it that we are here too. */
  async function claim({ kv }: Bucket, out: Outgoing, holder: Contender): Promise<Result<PublishAnswer>> {
    await kv.put(claimKey(out.host, out.id, out.bootId), formatValue(out.presence));
    return ok({ kind: 'conflict', contender: holder });
  }

  async function leave(session: NatsSession, name: string): Promise<Result<null>> {
    const ledger = isNatsName(name) ? readNatsLedger(folder, name) : null;
    if (ledger === null) return ok(null);
    const bucket = await placesOf(session);
    if (!bucket.ok) return bucket;
    const { kv } = bucket.value;
    const entry = await kv.get(hostKey(name));
    const isOurs =
      entry?.operation === 'PUT' &&
      (entry.revision === ledger.revision || ledger.begun.includes(digestOfValue(entry.string())));
    if (isOurs) {
      await kv.purge(hostKey(name), { previousSeq: entry.revision });
      // What follows is no transition: nobody takes the last one for the word of a machine that is silent.
      await session.js.publish(transitionSubject(name), LEFT);
    }
    forgetNatsLedger(folder, name);
    return ok(null);
  }

  return {
    leave,
    async publish(session, out) {
      try {
        return await publish(session, out);
      } catch (error) {
        // Somebody may have removed them.
        places.delete(session);
        throw error;
      }
    },
  };
}

/** Those that are not in the stream yet: what came before the last one that is there has come too. */
async function missingOf(
  { jsm }: NatsSession,
  { host, id, transitions }: Outgoing,
): Promise<readonly Transition[]> {
  if (transitions.length === 0) return transitions;
  try {
    const last = await jsm.streams.getMessage(TRANSITIONS, { last_by_subj: transitionSubject(host) });
    const there = last?.header?.get('Nats-Msg-Id');
    return transitions.slice(transitions.findIndex((one) => messageId(id, one) === there) + 1);
  } catch (error) {
    if (codeOf(error) === NO_MESSAGE) return transitions;
    throw error;
  }
}

async function contenderAt({ jsm }: NatsSession, bucket: Bucket, out: Outgoing): Promise<Contender | null> {
  const info = await jsm.streams.info(BUCKET_STREAM, {
    subjects_filter: subjectOfKey(claimsFilter(out.host)),
  });
  const own = claimKey(out.host, out.id, out.bootId);
  for (const subject of Object.keys(info.state.subjects ?? {}).slice(0, CLAIMS_MAX)) {
    const key = keyOfSubject(subject);
    if (key === null || key === own) continue;
    const entry = await bucket.kv.get(key);
    if (entry?.operation === 'PUT') return contenderOf(machineOf(parseValue(entry.string())));
  }
  return null;
}
