/** What the host knows about itself: configuration, journal, lock, pause. */
import type { Pause } from '../model/plan.ts';
import type { LockHolder } from '../system/lock.ts';
import { bad, type Finding, formatAge, formatTime, good } from './finding.ts';

/** An expected error of ours, as words. */
export interface Problem {
  readonly message: string;
  readonly hint: string | null;
}

export interface HostFacts {
  readonly now: number;
  readonly hostFile: string;
  /** `missing`: there is no such file. */
  readonly config: { readonly name: string; readonly repos: number } | 'missing' | Problem;
  readonly journal: { readonly runs: number; readonly openRuns: number } | Problem;
  readonly pause: Pause | null;
  /** Who says to hold the lock, and whether that very process is alive. */
  readonly lock: (LockHolder & { readonly alive: boolean }) | null;
}

export function judgeHost(facts: HostFacts): Finding[] {
  return [judgeConfig(facts), judgeJournal(facts.journal), judgeLock(facts), ...judgePause(facts)];
}

function judgeConfig({ config, hostFile }: HostFacts): Finding {
  if (config === 'missing') {
    return bad('fail', 'host.yaml', {
      found: `no ${hostFile}`,
      expected: 'the repos of this host',
      hint: 'pullyu bootstrap URL',
    });
  }
  if ('message' in config) {
    return bad('fail', 'host.yaml', {
      found: config.message,
      expected: 'a valid file',
      hint: config.hint ?? `correct ${hostFile}; until then a running agent goes on with what it knew`,
    });
  }
  if (config.repos === 0) {
    return bad('fail', 'host.yaml', {
      found: 'no repo',
      expected: 'at least one',
      hint: 'pullyu bootstrap URL',
    });
  }
  return good('host.yaml', `${config.name} follows ${config.repos} ${config.repos === 1 ? 'repo' : 'repos'}`);
}

function judgeJournal(journal: HostFacts['journal']): Finding {
  if ('message' in journal) {
    return bad('fail', 'journal', {
      found: journal.message,
      expected: 'a journal that can be read',
      hint: journal.hint ?? '',
    });
  }
  const open = journal.openRuns === 0 ? '' : `, ${journal.openRuns} without a result yet`;
  return good('journal', `${journal.runs} ${journal.runs === 1 ? 'run' : 'runs'}${open}`);
}

function judgeLock({ lock }: HostFacts): Finding {
  if (lock === null) return good('lock', 'held by nobody');
  const who = `${lock.command} (process ${lock.pid})`;
  if (lock.alive) return good('lock', `held by ${who}`);
  return good('lock', `free; its last holder, ${who}, died with it, and the next look tidies up after that`);
}

function judgePause({ pause, now }: HostFacts): Finding[] {
  if (pause === null) return [];
  return [
    bad('warn', 'pause', {
      found: `paused for ${formatAge(now - pause.since)}, until ${formatTime(pause.until)}: ${pause.reason}`,
      expected: 'a host that works',
      hint: 'pullyu resume',
    }),
  ];
}
