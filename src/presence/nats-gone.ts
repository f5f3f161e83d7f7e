/**
 * Hosts whose entry is gone, by its age, before a reader came: what they said when something happened last is in the stream. So a machine
 * that is silent is shown as silent to whoever looks for the first time too, for as long as the stream keeps its last transition.
 */
import type { Clock } from '../system/clock.ts';
import type { NatsSession } from './nats-connect.ts';
import { ALL_TRANSITIONS, hostOfTransition, TRANSITIONS } from './nats-names.ts';
import { parseTransition } from './nats-values.ts';
import type { StoredPresence } from './store.ts';

/** Messages that are fetched: a fleet that is gone as a whole is no list that anybody reads. */
const GONE_MAX = 500;
const AT_ONCE = 16;

/** @param isKnown Hosts that need not be asked for. Without a stream, or without the right to read it: nobody. */
export async function readGone(
  { jsm }: NatsSession,
  isKnown: (host: string) => boolean,
  clock: Pick<Clock, 'now'>,
): Promise<StoredPresence[]> {
  const info = await jsm.streams.info(TRANSITIONS, { subjects_filter: ALL_TRANSITIONS });
  const missing = Object.keys(info.state.subjects ?? {})
    .flatMap((subject) => {
      const host = hostOfTransition(subject);
      return host === null || isKnown(host) ? [] : [{ host, subject }];
    })
    .slice(0, GONE_MAX);
  const found: StoredPresence[] = [];
  const next = async () => {
    for (let one = missing.pop(); one !== undefined; one = missing.pop()) {
      const message = await jsm.streams.getMessage(TRANSITIONS, { last_by_subj: one.subject });
      const entry = message === null ? null : parseTransition(message.string());
      if (message === null || entry === null) continue;
      const notAfter = Math.min(message.time.getTime(), clock.now());
      found.push({
        host: one.host,
        ...entry.presence,
        token: `gone ${message.seq}`,
        seen: { notBefore: null, notAfter },
        isLastWord: true,
        contenders: [],
      });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
  return found.sort((a, b) => (a.host < b.host ? -1 : 1));
}
