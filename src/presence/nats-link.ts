/**
 * The connection to NATS of this process, kept for as long as somebody uses it, however often it breaks. One for each configuration:
 * publishing, reading and wakes share it.
 *
 * States: `idle` (nobody asked yet) -> `connecting` -> `up` (until the connection ends) or `resting` (until the next try, longer after
 * each failure, never more than RETRY_MAX_MS). Who asks while it rests gets the last trouble at once and goes on without NATS.
 */
import type { NatsConfig } from '../model/host.ts';
import { fail, ok, type Result, type Trouble, trouble } from '../model/trouble.ts';
import { type Clock, delay, timeoutSignal } from '../system/clock.ts';
import { connectToNats, type NatsSession } from './nats-connect.ts';
import { troubleOfNats } from './nats-trouble.ts';

export interface NatsLink {
  /** For messages: the servers, without credentials. */
  readonly name: string;
  /**
   * Work on a living connection. What it throws becomes a trouble.
   * @param what For the message; begins with "to".
   */
  use<T>(
    what: string,
    work: (session: NatsSession) => Promise<Result<T>>,
    signal?: AbortSignal,
  ): Promise<Result<T>>;
  /** Calls for the connection that is there, and for each that comes. */
  onSession(call: (session: NatsSession) => void): { close(): void };
  /** Why there is no connection; null while there is one. */
  trouble(): Trouble | null;
  close(): Promise<void>;
}

const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 60_000;
/** All of one `use`, with what it has to wait for. */
const USE_TIMEOUT_MS = 30_000;

interface Shared {
  readonly link: NatsLink;
  users: number;
}

const links = new WeakMap<NatsConfig, Shared>();

/** @param config The same object gets the same connection. */
export function openNatsLink(config: NatsConfig, clock: Clock): NatsLink {
  let shared = links.get(config);
  if (shared === undefined) {
    shared = { link: createNatsLink(config, clock), users: 0 };
    links.set(config, shared);
  }
  const mine = shared;
  mine.users += 1;
  let isClosed = false;
  return {
    ...mine.link,
    async close() {
      if (isClosed) return;
      isClosed = true;
      mine.users -= 1;
      if (mine.users > 0) return;
      if (links.get(config) === mine) links.delete(config);
      await mine.link.close();
    },
  };
}

export function createNatsLink(config: NatsConfig, clock: Clock): NatsLink {
  const name = config.servers.join(', ');
  const end = new AbortController();
  const listeners = new Set<(session: NatsSession) => void>();
  let session: NatsSession | null = null;
  let problem: Trouble | null = null;
  let failures = 0;
  let loop: Promise<void> | null = null;
  let attempt: Promise<void> | null = null;
  let settle = () => {};

  const expectAttempt = () => {
    attempt = new Promise((resolve) => {
      settle = resolve;
    });
  };

  const connect = async () => {
    const made = await connectToNats(config, () => clock.random(), end.signal);
    if (made.ok && end.signal.aborted) await made.value.connection.close();
    else if (made.ok) {
      session = made.value;
      problem = null;
      failures = 0;
      for (const call of listeners) call(session);
    } else {
      failures += 1;
      problem = made.trouble;
    }
    attempt = null;
    settle();
  };

  const run = async () => {
    while (!end.signal.aborted) {
      if (attempt === null) expectAttempt();
      await connect();
      if (session !== null) {
        await aborted(session.signal);
        session = null;
        problem = trouble(
          'unreachable',
          `expected ${name} to stay connected, found that the connection ended`,
          {
            hint: 'nothing is to be done: a connection is made anew',
            remote: name,
          },
        );
        // Whoever asks in this moment had better wait: another server of the cluster is a moment away.
        if (!end.signal.aborted) expectAttempt();
      }
      const longest = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(failures, 16));
      await delay(longest * (0.5 + clock.random() / 2), end.signal);
    }
    settle();
  };

  const ready = async (signal: AbortSignal): Promise<Result<NatsSession>> => {
    if (loop === null) {
      expectAttempt();
      loop = run();
    }
    if (session === null && attempt !== null) await Promise.race([attempt, aborted(signal)]);
    if (session !== null) return ok(session);
    return fail(
      problem ?? trouble('silent', `expected a connection to ${name}, found none in time`, { remote: name }),
    );
  };

  return {
    name,
    async use(what, work, signal) {
      const limit = AbortSignal.any([end.signal, timeoutSignal(USE_TIMEOUT_MS), ...(signal ? [signal] : [])]);
      const doing = { place: name, what };
      const live = await ready(limit);
      if (!live.ok) return live;
      try {
        const over = AbortSignal.any([limit, live.value.signal]);
        const stopped = aborted(over).then(() =>
          fail(troubleOfNats(over.aborted && live.value.signal.aborted ? undefined : timeoutError(), doing)),
        );
        return await Promise.race([work(live.value), stopped]);
      } catch (error) {
        return fail(troubleOfNats(error, doing));
      }
    },
    onSession(call) {
      listeners.add(call);
      if (session !== null) call(session);
      else void ready(end.signal);
      return { close: () => void listeners.delete(call) };
    },
    trouble: () => (session === null ? problem : null),
    async close() {
      end.abort();
      await session?.connection.close().catch(() => {});
      await loop;
    },
  };
}

function timeoutError(): Error {
  const error = new Error('no answer in time');
  error.name = 'TimeoutError';
  return error;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
