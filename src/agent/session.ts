/** The time for which a process holds the host's lock: everything that needs it is opened here, and closed in reverse. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PullyuError } from '../errors.ts';
import { createProber } from '../git/probe.ts';
import { decideSshFolder } from '../git/ssh.ts';
import { type Journal, openJournal } from '../journal/open.ts';
import type { EventSink } from '../model/event.ts';
import type { Plan } from '../model/plan.ts';
import { type Clock, readBootId } from '../system/clock.ts';
import { type Lock, type LockHolder, readLockHolder, tryLock } from '../system/lock.ts';
import type { Paths } from '../system/paths.ts';
import { formatSavedBackOff, readSavedBackOff } from './back-off.ts';
import type { AgentContext } from './context.ts';
import { createFleetLink, type FleetLink } from './fleet-link.ts';
import { describeBrokenConfig, readValidView } from './host-view.ts';
import { ensureIdentity } from './identity.ts';
import { createLooker, type Looker } from './look.ts';
import { checkMayLook } from './may-look.ts';
import { readMemo, writeMemo } from './memo.ts';
import type { MetricsFile } from './metrics-file.ts';
import { type AgentState, readState, writeState } from './state-file.ts';
import { sweepAfterDeath } from './sweep.ts';

export interface SessionOptions {
  readonly paths: Paths;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly emit: EventSink;
  readonly signal: AbortSignal;
  readonly mode: 'agent' | 'look';
}

export interface Session {
  readonly looker: Looker;
  readonly context: AgentContext;
  /** Outlives `close`, so that what waits can be delivered without the lock; whoever opened the session closes it. */
  readonly fleet: FleetLink;
  /** Writes state.json. */
  save(nextLookAt: number | null): void;
  state(nextLookAt: number | null): AgentState;
  close(): void;
}

export function lockFile(paths: Paths): string {
  return join(paths.state, 'lock');
}

/** @returns the lock, or who holds it. */
export function takeLock(paths: Paths, mode: string): { lock: Lock } | { holder: LockHolder | null } {
  checkMayLook(paths, process.getuid?.() ?? 0);
  ensureIdentity(paths.state);
  const lock = tryLock(lockFile(paths), mode);
  return lock === null ? { holder: readLockHolder(lockFile(paths)) } : { lock };
}

/** Only for the holder of the lock. @throws PullyuError of configuration or journal; nothing is left open then. */
export async function openSession(lock: Lock, o: SessionOptions): Promise<Session> {
  const { paths, clock, env, signal } = o;
  let fleet: FleetLink | null = null;
  const emit: EventSink = (event) => {
    o.emit(event);
    fleet?.hear(event);
  };
  const id = ensureIdentity(paths.state);
  const { view, problem } = await readValidView(paths, id);
  const brokenConfig = problem === null ? null : describeBrokenConfig(problem);
  if (brokenConfig !== null) emit({ type: 'warning', text: brokenConfig });
  // The holder before us died in the middle: its git children may still write into our clones.
  if (lock.unclean !== null && sweepAfterDeath(paths.state) > 0) {
    emit({ type: 'warning', text: 'git processes of an agent that died were ended' });
  }
  const journal = lazyJournal(join(paths.state, 'journal.log'), clock);
  const sshFolder = decideSshFolder(paths.state, process.getuid?.() ?? 0);
  const { repos, lastLookAt, servers, backOff } = readState(paths.state);
  const prober = createProber({
    limits: view.config.limits,
    env,
    now: clock.now,
    sshFolder,
    ...(servers === undefined ? {} : { known: servers }),
  });
  const context: AgentContext = {
    paths,
    journal,
    prober,
    clock,
    bootId: readBootId(),
    env,
    sshFolder,
    roster: {
      view: (triggers) => link.view(triggers),
      stamp: () => link.stamp(),
      keepFile: () => link.keepFile(),
    },
    emit,
    signal,
  };
  const link = createFleetLink(context, () => looker);
  // After a death the first look is a whole one, so that housekeeping follows it.
  let savedMemo = lock.unclean === null ? readMemo(paths.state) : null;
  let metrics: MetricsFile | null = null;
  /** Most hosts keep none. A file that was kept before is taken away. */
  const loadMetrics = async (): Promise<MetricsFile> => {
    const { createMetricsFile } = await import('./metrics-file.ts');
    metrics ??= createMetricsFile({ paths, clock, emit, journal });
    return metrics;
  };
  if (view.config.metrics != null || existsSync(join(paths.state, 'metrics.json'))) await loadMetrics();
  let plan: Plan | null = null;
  const looker = await createLooker(context, id, {
    memo: savedMemo,
    repos,
    lastLookAt,
    view,
    brokenConfig,
    // A daemon that begins asks all.
    waits: o.mode === 'look' ? readSavedBackOff(backOff, view.stamp, clock.now()) : {},
  });
  fleet = link;
  const state = (nextLookAt: number | null): AgentState => ({
    version: 1,
    pid: process.pid,
    mode: o.mode,
    bootId: context.bootId,
    lastLookAt: looker.lastLookAt(),
    nextLookAt,
    repos: looker.repoStates(),
    servers: prober.known(),
    ...(o.mode === 'look'
      ? { backOff: formatSavedBackOff(looker.waits(), looker.view().stamp, clock.now()) }
      : {}),
  });
  return {
    looker,
    context,
    fleet: {
      ...link,
      tell(report) {
        plan = report.plan ?? plan;
        link.tell(report);
      },
    },
    state,
    save(nextLookAt) {
      const written = state(nextLookAt);
      writeState(paths.state, written);
      const { lastLookAt: lookedAt, repos: seen } = written;
      const openRun = looker.openRun()?.intent ?? null;
      const known = { view: looker.view(), lastLookAt: lookedAt, repos: seen, openRun, plan };
      if (metrics !== null) metrics.write(known);
      // The key is new in host.yaml.
      else if (known.view.config.metrics != null) void loadMetrics().then((loaded) => loaded.write(known));
      const memo = looker.memo();
      // The same object after an idle look: it is what the file holds.
      if (memo === null || memo === savedMemo) return;
      writeMemo(paths.state, memo);
      savedMemo = memo;
    },
    close() {
      looker.close();
      prober.close();
      journal.close();
    },
  };
}

/** An idle one-shot look never needs the journal, which may be megabytes: it is read at the first question. */
function lazyJournal(file: string, clock: Clock): Journal {
  let opened: Journal | null = null;
  const journal = () => {
    opened ??= openJournal(file, { now: clock.now });
    return opened;
  };
  return {
    get tornBytes() {
      return journal().tornBytes;
    },
    runs: () => journal().runs(),
    openRuns: () => journal().openRuns(),
    memory: () => journal().memory(),
    target: (repo) => journal().target(repo),
    targetTrack: (repo) => journal().targetTrack(repo),
    accepted: (repo) => journal().accepted(repo),
    applied: (repo) => journal().applied(repo),
    pause: (now) => journal().pause(now),
    append: (record) => journal().append(record),
    compactIfLarge: () => journal().compactIfLarge(),
    close: () => opened?.close(),
  };
}

export function describeHolder(holder: LockHolder | null): string {
  return holder === null ? 'another pullyu' : `pullyu ${holder.command} (process ${holder.pid})`;
}

/** `busy`, with who is at work and for how long there is hope. */
export function busyError(holder: LockHolder | null): PullyuError {
  return new PullyuError('busy', `${describeHolder(holder)} is at work on this host`, {
    hint: 'it was told to look once more when it is done; `pullyu status` shows what it does',
  });
}
