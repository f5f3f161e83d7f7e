/** The bucket and the stream, made when they are missing. Hosts that make them at the same moment get the same ones. */
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import type { KV } from './nats-client.ts';
import type { NatsSession } from './nats-connect.ts';
import { ALL_TRANSITIONS, BUCKET, BUCKET_STREAM, TRANSITIONS } from './nats-names.ts';
import { RIGHTS_HINT, troubleOfNats } from './nats-trouble.ts';

export interface Bucket {
  readonly kv: KV;
  /** An entry goes when it was not renewed for so long; 0: never. */
  readonly maxAgeMs: number;
  /** Another time: it was made anew, and its revisions began from the beginning. */
  readonly created: string;
  readonly lastRevision: number;
  readonly entries: number;
}

/** A host is silent after so many heartbeats, and its entry goes. */
export const BEATS_KEPT = 3;
const DAY_MS = 24 * 60 * 60_000;
const MIB = 1024 * 1024;
const VALUE_MAX_BYTES = 256 * 1024;
/** Of the transitions, in the order in which they are tried: a small server has less. */
const STREAM_BYTES = [1024 * MIB, 64 * MIB] as const;
const STREAM_AGE_MS = 30 * DAY_MS;
/** Of one host; the oldest give way. */
const TRANSITIONS_EACH = 500;
/** A repeat within it is noticed by the server itself; a later one by us. */
const DUPLICATES_MS = 2 * 60_000;
const NO_STREAM = 10059;
const NAME_IN_USE = 10058;

/** null: nobody has made it yet. */
export async function findBucket(session: NatsSession): Promise<Bucket | null> {
  const info = await infoOf(session, BUCKET_STREAM);
  if (info === null) return null;
  const kv = await new session.client.Kvm(session.js).open(BUCKET);
  return {
    kv,
    maxAgeMs: (info.config.max_age ?? 0) / 1e6,
    created: info.created,
    lastRevision: info.state.last_seq,
    entries: info.state.messages,
  };
}

/** @param heartbeatMs Of this host: an entry has to outlive three of them. */
export async function ensureBucket(session: NatsSession, heartbeatMs: number): Promise<Result<Bucket>> {
  const maxAgeMs = heartbeatMs * BEATS_KEPT;
  const found = await findBucket(session);
  if (found !== null && (found.maxAgeMs === 0 || found.maxAgeMs >= maxAgeMs)) return ok(found);
  const doing = { place: session.connection.getServer(), what: `to have the bucket ${BUCKET}` };
  try {
    if (found === null) {
      const make = (replicas: number) =>
        new session.client.Kvm(session.js).create(BUCKET, {
          description: 'presences of hosts: pullyu',
          history: 1,
          ttl: maxAgeMs,
          maxValueSize: VALUE_MAX_BYTES,
          replicas,
        });
      await withReplicas(session, make);
    } else {
      // Another host made it, which beats faster than we do.
      await session.jsm.streams.update(BUCKET_STREAM, { max_age: maxAgeMs * 1e6 });
    }
  } catch (error) {
    const why = troubleOfNats(error, doing);
    const isMade = found === null && (await findBucket(session)) !== null;
    if (isMade || codeOf(error) === NAME_IN_USE) return ensureBucket(session, heartbeatMs);
    const hint =
      found === null
        ? 'let an operator make it once, or give this host the right to: docs/nats.md has the lines'
        : `let an operator set its age limit to three heartbeats of the slowest host: ${maxAgeMs / 1000} s`;
    return fail({ ...why, hint });
  }
  const made = await findBucket(session);
  if (made !== null) return ok(made);
  return fail(
    trouble('server-error', `expected the bucket ${BUCKET} after it was made, found none`, {
      hint: RIGHTS_HINT,
    }),
  );
}

/** The stream of the transitions. */
export async function ensureStream(session: NatsSession): Promise<Result<null>> {
  if ((await infoOf(session, TRANSITIONS)) !== null) return ok(null);
  const make = (replicas: number, bytes: number) =>
    session.jsm.streams.add({
      name: TRANSITIONS,
      description: 'what happened on hosts: pullyu',
      subjects: [ALL_TRANSITIONS],
      max_age: STREAM_AGE_MS * 1e6,
      max_bytes: bytes,
      max_msgs_per_subject: TRANSITIONS_EACH,
      duplicate_window: DUPLICATES_MS * 1e6,
      num_replicas: replicas,
    });
  let problem: unknown;
  for (const bytes of STREAM_BYTES) {
    try {
      await withReplicas(session, (replicas) => make(replicas, bytes));
      return ok(null);
    } catch (error) {
      if (codeOf(error) === NAME_IN_USE || (await infoOf(session, TRANSITIONS)) !== null) return ok(null);
      problem = error;
      if (codeOf(error) === null) break;
    }
  }
  const doing = { place: session.connection.getServer(), what: `to have the stream ${TRANSITIONS}` };
  return fail({
    ...troubleOfNats(problem, doing),
    hint: 'let an operator make it once, or give this host the right to: docs/nats.md has the lines',
  });
}

/** Three in a cluster that has as many: two would lose no less than one. */
async function withReplicas<T>(session: NatsSession, make: (replicas: number) => Promise<T>): Promise<T> {
  const replicas = session.servers >= 3 ? 3 : 1;
  try {
    return await make(replicas);
  } catch (error) {
    // Only some of the servers have JetStream, or it is no cluster.
    if (replicas === 1 || codeOf(error) === null || codeOf(error) === NAME_IN_USE) throw error;
    return make(1);
  }
}

async function infoOf(session: NatsSession, stream: string) {
  try {
    return await session.jsm.streams.info(stream);
  } catch (error) {
    if (codeOf(error) === NO_STREAM) return null;
    throw error;
  }
}

/** The number that JetStream gives its refusals; null: the error is no such refusal. */
export function codeOf(error: unknown): number | null {
  const code =
    error instanceof Error && error.name.match(/^JetStreamApiError|NotFoundError$/)
      ? (error as { code?: unknown }).code
      : null;
  return typeof code === 'number' ? code : null;
}
