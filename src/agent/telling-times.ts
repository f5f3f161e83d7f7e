/** PURE: when a host tells the fleet, so that many hosts are no herd. */
import { fractionOf } from '../plan/digest.ts';
import type { Own, StoreKey } from '../presence/outbox.ts';
import type { PresenceContent } from '../presence/transitions.ts';

/** For each host that is known: about what one push costs the server (docs/scaling.md). */
const PER_HOST_MS: Readonly<Record<StoreKey, number>> = { git: 25, nats: 3 };
const SPREAD_MAX_MS = 5 * 60_000;
/** Of something that happens on one host, and not on all of them at this moment. */
const ALONE = 1 / 10;
const ALONE_MAX_MS = 30_000;

/**
 * Within which time from now a presence goes out. A commit, an upgrade and the end of a blackout come to all hosts at once: then all of
 * them together are to be no faster than the server.
 * @param hosts How many are known.
 */
export function spreadMs(
  store: StoreKey,
  hosts: number,
  before: PresenceContent | null,
  now: PresenceContent,
): number {
  const all = hosts * PER_HOST_MS[store];
  return isForAll(before, now) ? Math.min(SPREAD_MAX_MS, all) : Math.min(ALONE_MAX_MS, all * ALONE);
}

function isForAll(before: PresenceContent | null, now: PresenceContent): boolean {
  if (before === null || before.bootId !== now.bootId || before.agent !== now.agent) return true;
  const commits = ({ repos }: PresenceContent) =>
    repos.map(({ name, wanted, applied, trouble }) => [name, wanted, applied, trouble?.code]);
  return JSON.stringify(commits(before)) !== JSON.stringify(commits(now));
}

const BEAT_EARLY = 0.2;

/**
 * Is a heartbeat due? Each is up to a fifth early, by another part each time: hosts that told something at the same moment do not beat
 * together for ever. Also due when the clock was set back: nobody knows what it measured. A host that looks once in a heartbeat beats at
 * each look: what is half an interval early is better than one look too late.
 */
export function isBeatDue({ madeAt, sequence, content }: Own, now: number): boolean {
  const { heartbeatMs, intervalMs, id } = content;
  const age = now - madeAt;
  if (age < 0 || age >= heartbeatMs - Math.min(intervalMs, heartbeatMs) / 2) return true;
  // An idle look ends before this.
  return (
    age >= heartbeatMs * (1 - BEAT_EARLY) &&
    age >= heartbeatMs * (1 - BEAT_EARLY * fractionOf(`${id} ${sequence}`))
  );
}
