/** What happened on one host, read from the stream. It holds a few hundred transitions of each host at most, so all of them are read. */
import { ok, type Result } from '../model/trouble.ts';
import type { NatsSession } from './nats-connect.ts';
import { TRANSITIONS, transitionSubject } from './nats-names.ts';
import { codeOf } from './nats-places.ts';
import { parseTransition } from './nats-values.ts';
import type { HistoryEntry } from './store.ts';

const READ_MAX = 5_000;
const FETCH_EXPIRES_MS = 8_000;
const NOTHING_THERE: readonly (number | null)[] = [10037, 10059];

/** Newest first. */
export async function readNatsHistory(
  { js, jsm }: NatsSession,
  host: string,
  limit: number,
): Promise<Result<readonly HistoryEntry[]>> {
  const subject = transitionSubject(host);
  let lastSequence: number;
  try {
    const last = await jsm.streams.getMessage(TRANSITIONS, { last_by_subj: subject });
    if (last === null) return ok([]);
    lastSequence = last.seq;
  } catch (error) {
    if (NOTHING_THERE.includes(codeOf(error))) return ok([]);
    throw error;
  }
  const consumer = await js.consumers.get(TRANSITIONS, { filter_subjects: subject });
  const messages = await consumer.fetch({ max_messages: READ_MAX, expires: FETCH_EXPIRES_MS });
  const entries: HistoryEntry[] = [];
  try {
    for await (const message of messages) {
      const entry = parseTransition(message.string());
      if (entry !== null) entries.push(entry);
      if (entries.length > limit) entries.shift();
      if (message.seq >= lastSequence || message.info.pending === 0) break;
    }
  } finally {
    await messages.close().catch(() => {});
  }
  return ok(entries.reverse());
}
