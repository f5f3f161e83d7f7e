import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FleetHost } from '../model/fleet.ts';
import type { CommitId } from '../model/ids.ts';
import { formatTold, type News, type NewsState, noNews, parseTold } from '../model/news.ts';
import type { ExpectedHost, Presence, PresenceAction, PresenceRepo } from '../model/presence.ts';
import { AT, someAction, somePresence } from '../presence/presence.testing.ts';
import type { Judged } from './judged.ts';
import { decideNews, type NewsOptions } from './news.ts';
import { pictureFleet } from './picture-fleet.ts';

const A = '3f2a91c0d4b5a6978812f3e4d5c6b7a8990a1b2c' as CommitId;
const B = '9b1c2d3e4f5061728394a5b6c7d8e9f001122334' as CommitId;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOLD = 2 * MINUTE;

interface Said {
  /** Of its last contact, before `now`; default none. */
  readonly ago?: number;
  readonly trust?: Judged['trust'];
  readonly contended?: boolean;
  readonly presence?: Partial<Presence>;
}

/** A fleet at one moment; names with nothing are well. */
type Fleet = Readonly<Record<string, Said>>;

function fleet(now: number, hosts: Fleet, expected: readonly ExpectedHost[] | null = null): FleetHost[] {
  const judged = Object.entries(hosts).map(
    ([host, { ago = 0, trust = 'unlisted', contended, presence }]): Judged => {
      const repos = [at(A)];
      return {
        host,
        trust,
        presence: somePresence({ host, repos, actions: [ok(A)], heartbeatMs: 5 * MINUTE, ...presence }),
        why: null,
        lastContactAt: now - ago,
        contenders: contended ? [{ id: 'other', addresses: [] }] : [],
      };
    },
  );
  return pictureFleet(judged, { expected, now });
}

function at(wanted: CommitId, applied: CommitId | null = wanted): PresenceRepo {
  return { name: 'it', wanted, applied, trouble: null };
}

const action = (more: Partial<PresenceAction>) =>
  someAction({ repo: 'it', name: 'shop', parked: false, ...more });
const ok = (commit: CommitId) => action({ outcome: 'ok', commit, exitCode: 0 });
const bad = (commit: CommitId, more: Partial<PresenceAction> = {}) =>
  action({ outcome: 'failed', commit, exitCode: 1, ...more });
const failing = (commit: CommitId, more: Partial<PresenceAction> = {}): Said => ({
  presence: { repos: [at(commit, A)], actions: [bad(commit, more)] },
});
const well = (commit: CommitId): Said => ({ presence: { repos: [at(commit)], actions: [ok(commit)] } });
const silent: Said = { ago: 16 * MINUTE };

/** A watcher over time; what it says has its minute in front. */
function watch(more: Partial<NewsOptions> = {}) {
  let state: NewsState = noNews;
  let now = AT;
  return {
    state: () => state,
    /** Looks every ten seconds for so long. */
    see(hosts: Fleet, ms: number, expected: readonly ExpectedHost[] | null = null): string[] {
      const said: News[] = [];
      for (const end = now + ms; now < end; now += 10 * SECOND) {
        const decided = decideNews(state, fleet(now, hosts, expected), now, { holdMs: HOLD, ...more });
        // Whatever a file or a repository would make of it.
        state = JSON.parse(JSON.stringify(decided.state)) as NewsState;
        said.push(...decided.news);
      }
      return said.map(({ level, text }) => `${level}: ${text}`);
    },
  };
}

const WELL: Fleet = { 'web-1': {}, 'web-2': {}, 'web-3': {} };

describe('the first time', () => {
  test('nothing is told about what is well', () => {
    expect(watch().see(WELL, 30 * MINUTE)).toEqual([]);
  });

  test('troubles are told, when they have lasted', () => {
    const w = watch();
    const hosts = { 'web-1': {}, 'web-2': silent };
    expect(w.see(hosts, HOLD)).toEqual([]);
    expect(w.see(hosts, MINUTE)).toEqual([
      'critical: web-2 is silent: no contact for 16 min, last at 3f2a91c',
    ]);
    expect(w.see(hosts, 60 * MINUTE)).toEqual([]);
  });
});

describe('a failing commit', () => {
  test('is one message for the whole fleet', () => {
    const w = watch();
    w.see(WELL, MINUTE);
    expect(w.see({ ...WELL, 'web-1': failing(B) }, MINUTE)).toEqual([]);
    expect(w.see({ 'web-1': failing(B), 'web-2': {}, 'web-3': failing(B) }, 5 * MINUTE)).toEqual([
      'critical: 9b1c2d3: shop failed on 2 of 3 hosts: web-1, web-3 (exit code 1)',
    ]);
    // A host that comes to it later is no news.
    expect(w.see({ 'web-1': failing(B), 'web-2': failing(B), 'web-3': failing(B) }, 60 * MINUTE)).toEqual([]);
  });

  test('is fixed by a later one', () => {
    const w = watch();
    w.see(WELL, MINUTE);
    w.see({ ...WELL, 'web-1': failing(B) }, 5 * MINUTE);
    expect(w.see({ 'web-1': well(A), 'web-2': well(A), 'web-3': well(A) }, 5 * MINUTE)).toEqual([
      'chatty: 9b1c2d3: shop is fixed by 3f2a91c',
    ]);
  });

  test('may become well by itself', () => {
    const w = watch();
    w.see(WELL, MINUTE);
    w.see({ 'web-1': failing(B), 'web-2': well(B), 'web-3': {} }, 5 * MINUTE);
    expect(w.see({ 'web-1': well(B), 'web-2': well(B), 'web-3': well(B) }, 5 * MINUTE)).toEqual([
      'chatty: 9b1c2d3 is on all 3 hosts',
      'chatty: 9b1c2d3: shop is well on all 3 hosts',
    ]);
  });

  test('that is followed by another one that fails is told as still failing', () => {
    const w = watch();
    w.see(WELL, MINUTE);
    w.see({ ...WELL, 'web-1': failing(B) }, 5 * MINUTE);
    expect(w.see({ ...WELL, 'web-1': failing(A, { parked: true, exitCode: 78 }) }, 10 * MINUTE)).toEqual([
      'critical: 3f2a91c: shop still fails on 1 of 3 hosts: web-1 (exit code 78, parked)',
    ]);
  });

  test('is not fixed while it is only tried again', () => {
    const w = watch();
    const running: Said = {
      presence: { repos: [at(B, A)], actions: [action({ outcome: null, commit: B })] },
    };
    w.see(WELL, MINUTE);
    w.see({ ...WELL, 'web-1': failing(B) }, 5 * MINUTE);
    expect(w.see({ ...WELL, 'web-1': running }, 60 * MINUTE)).toEqual([]);
    expect(w.see({ ...WELL, 'web-1': failing(B, { attempt: 2 }) }, 60 * MINUTE)).toEqual([]);
  });

  test('that a second try mends within the hold time is never told', () => {
    const w = watch();
    w.see(WELL, MINUTE);
    expect(w.see({ ...WELL, 'web-1': failing(B) }, MINUTE)).toEqual([]);
    expect(w.see({ ...WELL, 'web-1': well(B) }, 10 * MINUTE)).toEqual([]);
  });

  test('with several actions is one message, and their hosts are its lines', () => {
    const both = {
      presence: { repos: [at(B, A)], actions: [bad(B), bad(B, { name: 'db', outcome: 'timed-out' })] },
    };
    const hosts = fleet(AT, { 'web-1': both, 'web-2': failing(B) });
    const before = decideNews(noNews, hosts, AT, { holdMs: HOLD });
    const { news } = decideNews(before.state, hosts, AT + HOLD, {
      holdMs: HOLD,
      subjectOf: () => 'new shop',
    });
    expect(news.map(({ text, lines }) => [text, lines])).toEqual([
      [
        '9b1c2d3 (new shop): shop failed on all 2 hosts: web-1, web-2 (exit code 1); db failed on its only host: web-1 (took too long)',
        ['web-1: shop exit code 1', 'web-2: shop exit code 1', 'web-1: db took too long'],
      ],
    ]);
  });

  test('that hosts refuse is told once for all of them', () => {
    const trouble = { code: 'config' as const, message: 'pullyu.yaml:1:1: unknown key', since: AT };
    const refusing: Said = { presence: { repos: [{ ...at(A), trouble }] } };
    const w = watch();
    w.see(WELL, MINUTE);
    expect(w.see({ 'web-1': refusing, 'web-2': refusing, 'web-3': refusing }, 10 * MINUTE)).toEqual([
      'critical: it: config on all 3 hosts: web-1, web-2, web-3: pullyu.yaml:1:1: unknown key',
    ]);
    expect(w.see(WELL, 10 * MINUTE)).toEqual(['chatty: it: no host refuses it any more (config)']);
  });

  test('parks actions: the wedged host is not told of again', () => {
    const w = watch();
    const parked = failing(B, { parked: true, exitCode: 78 });
    const wedged: Said = { presence: { ...parked.presence, state: 'wedged', reason: 'shop parked' } };
    w.see(WELL, MINUTE);
    expect(w.see({ ...WELL, 'web-1': wedged }, 10 * MINUTE)).toEqual([
      'critical: 9b1c2d3: shop failed on 1 of 3 hosts: web-1 (exit code 78, parked)',
    ]);
  });
});

describe('a commit that is everywhere', () => {
  test('is told once, and names hosts that are silent', () => {
    const w = watch();
    w.see(WELL, MINUTE);
    expect(w.see({ 'web-1': well(B), 'web-2': well(B), 'web-3': well(A) }, 10 * MINUTE)).toEqual([]);
    const hosts = { 'web-1': well(B), 'web-2': well(B), 'web-3': silent };
    expect(w.see(hosts, 10 * MINUTE)).toEqual([
      'critical: web-3 is silent: no contact for 16 min, last at 3f2a91c',
      'chatty: 9b1c2d3 is on all 2 hosts; silent: web-3',
    ]);
  });

  test('is told again when the fleet comes back to it', () => {
    const w = watch();
    const all = (commit: CommitId) => ({ 'web-1': well(commit), 'web-2': well(commit) });
    w.see(all(A), MINUTE);
    expect(w.see(all(B), 5 * MINUTE)).toEqual(['chatty: 9b1c2d3 is on all 2 hosts']);
    expect(w.see(all(A), 5 * MINUTE)).toEqual(['chatty: 3f2a91c is on all 2 hosts']);
  });
});

describe('hosts', () => {
  test('that fall silent together are one message, and come back in one', () => {
    const w = watch();
    w.see(WELL, MINUTE);
    expect(w.see({ ...WELL, 'web-1': silent }, MINUTE)).toEqual([]);
    expect(w.see({ ...WELL, 'web-1': silent, 'web-2': silent }, 10 * MINUTE)).toEqual([
      'critical: 2 hosts are silent: web-1, web-2',
    ]);
    expect(w.see(WELL, 10 * MINUTE)).toEqual(['chatty: 2 hosts are back: web-1, web-2']);
  });

  test('that have missed a heartbeat are waited for, before silence is told', () => {
    const w = watch();
    w.see(WELL, MINUTE);
    const late = { ago: 9 * MINUTE };
    expect(w.see({ 'web-1': silent, 'web-2': late, 'web-3': late }, 3 * MINUTE)).toEqual([]);
    expect(w.see({ 'web-1': silent, 'web-2': silent, 'web-3': {} }, 3 * MINUTE)).toEqual([
      'critical: 2 hosts are silent: web-1, web-2',
    ]);
    // But not for ever.
    const again = watch();
    again.see(WELL, MINUTE);
    expect(again.see({ 'web-1': silent, 'web-2': late, 'web-3': late }, 20 * MINUTE)).toEqual([
      expect.stringMatching(/^critical: web-1 is silent/),
    ]);
  });

  test('that are silent for less than the hold time are no news', () => {
    const w = watch();
    w.see(WELL, MINUTE);
    for (let n = 0; n < 10; n += 1) {
      expect(w.see({ ...WELL, 'web-1': silent }, MINUTE)).toEqual([]);
      expect(w.see(WELL, MINUTE)).toEqual([]);
    }
  });

  test('are not called silent while nobody could be heard', () => {
    const blind = { isBlind: true };
    const w = watch(blind);
    w.see(WELL, MINUTE);
    expect(w.see({ ...WELL, 'web-1': silent }, 30 * MINUTE)).toEqual([]);
    Object.assign(blind, { isBlind: false });
  });

  test('are told of when they are wedged, conflicting, forged or absent, each once', () => {
    const w = watch();
    w.see({ 'web-1': {}, 'web-2': {}, 'web-3': {} }, MINUTE);
    const hosts: Fleet = {
      'web-1': { presence: { state: 'wedged', reason: 'it: disk-full: no space' } },
      'web-2': { contended: true },
      'web-3': { trust: 'forged' },
    };
    const expected = ['web-1', 'web-2', 'web-3', 'web-4'].map((name) => ({ name, labels: {}, keys: [] }));
    expect(w.see(hosts, 30 * MINUTE, expected).sort()).toEqual([
      'critical: web-1 is wedged: it: disk-full: no space',
      'critical: web-2 is conflicting: another machine publishes under its name: other',
      'critical: web-3 is forged: what it published is not believed',
      'critical: web-4 is absent: expected by hosts.yaml, never came',
    ]);
    expect(w.see(WELL, 30 * MINUTE, expected).sort()).toEqual([
      'chatty: web-1 is wedged no longer',
      'chatty: web-2 is conflicting no longer',
      'chatty: web-3 is forged no longer',
    ]);
  });

  test('join, leave, are paused and resumed for those who want to know everything', () => {
    const w = watch();
    w.see(WELL, MINUTE);
    const paused: Said = { presence: { state: 'paused', reason: 'until tomorrow: tests' } };
    expect(
      w.see({ 'web-1': paused, 'web-2': {}, 'web-4': {}, 'web-5': { trust: 'stranger' } }, 30 * MINUTE),
    ).toEqual([
      'chatty: web-1 is paused: until tomorrow: tests',
      'chatty: web-3 left',
      'chatty: web-4 joined',
      'chatty: web-5 is a stranger: hosts.yaml does not list it',
    ]);
    expect(w.see({ 'web-1': {}, 'web-2': {}, 'web-4': {} }, 30 * MINUTE)).toEqual([
      'chatty: web-1 is resumed',
    ]);
  });

  test('that leave while they are silent do not come back', () => {
    const w = watch();
    w.see(WELL, MINUTE);
    w.see({ ...WELL, 'web-3': silent }, 10 * MINUTE);
    expect(w.see({ 'web-1': {}, 'web-2': {} }, 10 * MINUTE)).toEqual(['chatty: web-3 left']);
    expect(Object.keys(w.state().told!).some((key) => key.includes('web-3'))).toBe(false);
  });

  test('none at all is no answer', () => {
    const w = watch();
    w.see(WELL, MINUTE);
    const before = w.state();
    expect(w.see({}, 30 * MINUTE)).toEqual([]);
    expect(w.state()).toEqual(before);
  });
});

test('what is of a stranger is told in printable characters', () => {
  const w = watch();
  const wedged: Said = { presence: { state: 'wedged', reason: 'evil \u001b[31m\n"' } };
  expect(w.see({ 'web-1': wedged }, 10 * MINUTE)).toEqual([
    'critical: web-1 is wedged: evil \\x1b[31m\\x0a"',
  ]);
});

test('the state is the same object while nothing changes', () => {
  const hosts = fleet(AT, { ...WELL, 'web-1': failing(B) });
  const { state } = decideNews(noNews, hosts, AT, { holdMs: HOLD });
  expect(decideNews(state, hosts, AT + 1, { holdMs: HOLD }).state).toBe(state);
});

test('what was told is read back as it was written; anything else is nothing', () => {
  const w = watch();
  w.see({ ...WELL, 'web-1': failing(B) }, 10 * MINUTE);
  const told = w.state().told!;
  expect(parseTold(formatTold(told))).toEqual(told);
  for (const text of ['', '[]', '{}', '{"version":1,"told":{"x\\n":1}}', '{"version":2,"told":{}}'])
    expect(parseTold(text)).toBe(null);
  fc.assert(
    fc.property(fc.string(), (text) => void parseTold(text)),
    { numRuns: 50 },
  );
});

describe('whatever happens', () => {
  const STEP = 30 * SECOND;
  const state = fc.constantFrom<Said>(
    {},
    silent,
    { contended: true },
    failing(B),
    well(B),
    { trust: 'forged' },
    {
      presence: { state: 'wedged', reason: 'x' },
    },
  );
  /** For each of three hosts: what it is, for how many steps. */
  const life = fc.array(fc.tuple(state, fc.nat({ max: 14 })), { minLength: 1, maxLength: 8 });
  const lives = fc.tuple(life, life, life);
  const timeline = (host: readonly [Said, number][]) =>
    host.flatMap(([said, steps]) => Array.from({ length: steps + 1 }, () => said));

  function run(all: readonly (readonly Said[])[]) {
    const steps = Math.max(...all.map((one) => one.length)) + 30;
    let now = AT;
    let before: NewsState = noNews;
    const told: { at: number; key: string; is: boolean }[] = [];
    const troubles = new Map<string, ('yes' | 'no' | 'unknown')[]>();
    for (let step = 0; step < steps; step += 1, now += STEP) {
      const hosts = fleet(now, {
        'web-0': {},
        ...Object.fromEntries(all.map((one, n) => [`web-${n + 1}`, one[step] ?? one.at(-1)!])),
      });
      for (const { name, state: seen } of hosts) {
        for (const kind of ['silent', 'conflicting', 'forged']) {
          const key = `${kind} ${name}`;
          const isUnknown = kind === 'conflicting' && (seen === 'silent' || seen === 'forged');
          const isBridged = isUnknown || (kind === 'silent' && seen === 'forged');
          troubles.set(key, [
            ...(troubles.get(key) ?? []),
            seen === kind ? 'yes' : isBridged ? 'unknown' : 'no',
          ]);
        }
      }
      const decided = decideNews(before, hosts, now, { holdMs: HOLD });
      before = decided.state;
      for (const { begins, ends } of decided.news) {
        for (const key of begins) told.push({ at: now, key, is: true });
        for (const key of ends) told.push({ at: now, key, is: false });
      }
    }
    return { told, troubles, state: before };
  }

  test('nothing is told twice, and of one thing there is at most one message in a hold time', () => {
    fc.assert(
      fc.property(lives, (hosts) => {
        const { told } = run(hosts.map(timeline));
        const last = new Map<string, { at: number; is: boolean }>();
        for (const { at: when, key, is } of told) {
          const before = last.get(key);
          // Who was there the first time did not join.
          if (before !== undefined || !key.startsWith('here ')) expect([key, is]).toEqual([key, !before?.is]);
          if (before !== undefined) expect(when - before.at).toBeGreaterThanOrEqual(HOLD);
          last.set(key, { at: when, is });
        }
      }),
      { numRuns: 60 },
    );
  });

  test('every trouble that lasts is told exactly once, and none that passes', () => {
    fc.assert(
      fc.property(lives, (hosts) => {
        const { told, troubles } = run(hosts.map(timeline));
        for (const [key, is] of troubles) {
          const begins = told.filter((one) => one.key === key && one.is);
          const longest = (other: RegExp) =>
            Math.max(
              ...is
                .join(' ')
                .split(other)
                .map((part) => part.split(/\w+/).length - 1),
            );
          if (is.at(-1) === 'yes' && longest(/\bno\b|unknown/) * STEP > 2 * HOLD)
            expect([key, begins.length > 0]).toEqual([key, true]);
          // What is not known for a while goes on.
          if ((longest(/\bno\b/) - 1) * STEP < HOLD) expect([key, begins.length]).toEqual([key, 0]);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('at rest what was told is what is the case', () => {
    fc.assert(
      fc.property(lives, (hosts) => {
        const { state: end, troubles } = run(hosts.map(timeline));
        const lasting = [...troubles].flatMap(([key, is]) => (is.at(-1) === 'yes' ? [key] : []));
        for (const key of lasting) expect(Object.keys(end.told ?? {})).toContain(key);
        // Of a host that is silent or forged it is not known whether it is still what it was.
        const unsure = lasting.map((key) => key.split(' ')[1]);
        const open = Object.keys(end.seen).filter((key) => !unsure.includes(key.split(' ')[1]));
        expect(open.filter((key) => unsure.length === 0 || !key.startsWith('failed '))).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});
