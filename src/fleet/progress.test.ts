import { describe, expect, test } from 'vitest';
import type { CommitId } from '../model/ids.ts';
import type { Presence } from '../model/presence.ts';
import { AT, someAction, somePresence } from '../presence/presence.testing.ts';
import type { Judged } from './judged.ts';
import { pictureFleet } from './picture-fleet.ts';
import {
  decideVerdict,
  type HostProgress,
  type Progress,
  type ProgressOptions,
  progressOf,
} from './progress.ts';

const NEW = '3f2a91c0d4b5a6978812f3e4d5c6b7a8990a1b2c' as CommitId;
const NEWER = 'cccccccccccccccccccccccccccccccccccccccc' as CommitId;
const OLD = '9b1c2d3e4f5061728394a5b6c7d8e9f001122334' as CommitId;

const OPTIONS: ProgressOptions = {
  repo: 'it',
  concerns: (labels) => labels.part === 'app',
  reached: new Set([NEW, NEWER]),
  committedAt: AT - 1_000,
};

function judged(host: string, more: Partial<Presence> = {}, of: Partial<Judged> = {}): Judged {
  const presence = somePresence({ host, ...more });
  return { host, presence, trust: 'unlisted', why: null, lastContactAt: AT, contenders: [], ...of };
}

function progress(...hosts: Judged[]): Progress {
  return progressOf(pictureFleet(hosts, { expected: null, now: AT }), OPTIONS);
}

const at = (applied: CommitId | null, more: Partial<Presence['repos'][number]> = {}) => ({
  repos: [{ name: 'it', wanted: NEW, applied, trouble: null, ...more }],
});
const trouble = (code: 'config' | 'dns', since: number) => ({ code, message: 'broken', since });

describe('how far a host has come', () => {
  test.each<[string, HostProgress, Partial<Presence>]>([
    ['it has applied the commit', 'there', at(NEW)],
    ['it has applied one that descends from it', 'there', at(NEWER)],
    ['it has applied another one', 'waiting', at(OLD)],
    ['it has applied nothing yet', 'waiting', at(null)],
    [
      'its action failed there',
      'failed',
      { ...at(OLD), actions: [someAction({ outcome: 'failed', exitCode: 1 })] },
    ],
    [
      'its action waits for a human',
      'failed',
      { ...at(OLD), actions: [someAction({ outcome: 'interrupted', parked: true })] },
    ],
    [
      'its action asked to be tried again',
      'waiting',
      { ...at(OLD), actions: [someAction({ outcome: 'failed', exitCode: 75 })] },
    ],
    ['its action was cut off', 'waiting', { ...at(OLD), actions: [someAction({ outcome: 'interrupted' })] }],
    [
      'its action failed at a commit before',
      'waiting',
      { ...at(OLD), actions: [someAction({ outcome: 'failed', exitCode: 1, commit: OLD })] },
    ],
    [
      'an action of another repo failed',
      'waiting',
      { ...at(OLD), actions: [someAction({ repo: 'lib', outcome: 'failed', exitCode: 1 })] },
    ],
    ['it refuses the commit', 'failed', at(OLD, { wanted: OLD, trouble: trouble('config', AT) })],
    [
      'it refused a commit before',
      'waiting',
      at(OLD, { wanted: OLD, trouble: trouble('config', AT - 9_000) }),
    ],
    ['its remote cannot be reached', 'waiting', at(OLD, { trouble: trouble('dns', AT) })],
  ])('%s: %s', (_, expected, presence) => {
    expect(progress(judged('web-1', presence)).concerned.map((host) => host.progress)).toEqual([expected]);
  });

  test('a host that fell silent after it got there is there, another one is silent', () => {
    const long = { lastContactAt: AT - 3_600_000 };
    const found = progress(judged('web-1', at(NEW), long), judged('web-2', at(OLD), long));
    expect(found.concerned.map((host) => [host.name, host.progress])).toEqual([
      ['web-1', 'there'],
      ['web-2', 'silent'],
    ]);
  });

  test('a clock that is ahead does not make an old refusal a new one', () => {
    const ahead = 60_000;
    const presence = {
      clock: AT + ahead,
      ...at(OLD, { wanted: OLD, trouble: trouble('config', AT - 5_000 + ahead) }),
    };
    expect(progress(judged('web-1', presence)).totals).toMatchObject({ waiting: 1, failed: 0 });
  });
});

describe('whom a commit concerns', () => {
  test('hosts that follow the repo and for which it has an action', () => {
    const found = progress(
      judged('web-1'),
      judged('lb-1', { labels: { part: 'lb' } }),
      judged('other-1', { repos: [] }),
      judged('stranger-1', {}, { trust: 'stranger' }),
    );
    expect(found.concerned.map((host) => host.name)).toEqual(['web-1']);
    expect(found.followers).toBe(2);
  });

  test('one that is expected and never came, or is not believed, is waited for', () => {
    const hosts = pictureFleet([judged('web-1', {}, { trust: 'forged', presence: null })], {
      expected: ['web-1', 'web-2'].map((name) => ({ name, labels: { part: 'app' }, keys: [] })),
      now: AT,
    });
    expect(progressOf(hosts, OPTIONS).totals).toMatchObject({ concerned: 2, silent: 2 });
  });
});

describe('is there anything left to wait for', () => {
  const totals = (of: Partial<Progress['totals']>): Progress => ({
    followers: 9,
    concerned: [],
    totals: { concerned: 0, there: 0, failed: 0, waiting: 0, silent: 0, ...of },
  });
  test.each([
    ['all are there', { there: 3 }, {}, 'done'],
    ['nobody is concerned', {}, {}, 'done'],
    ['one is on its way', { there: 2, waiting: 1 }, {}, 'go on'],
    ['one failed while another is on its way', { failed: 1, waiting: 1 }, {}, 'go on'],
    ['one failed, and that is enough', { failed: 1, waiting: 1 }, { failFast: true }, 'failed'],
    ['one failed and all others are there', { failed: 1, there: 2 }, {}, 'failed'],
    ['one failed and another is silent', { failed: 1, silent: 1 }, {}, 'failed'],
    ['one is silent', { there: 2, silent: 1 }, {}, 'go on'],
    ['one is silent, and is not waited for', { there: 2, silent: 1 }, { skipSilent: true }, 'done'],
  ] as const)('%s', (_, of, options, verdict) => {
    expect(decideVerdict(totals(of), options)).toBe(verdict);
  });
});
