import { describe, expect, test } from 'vitest';
import type { CommitId } from '../model/ids.ts';
import type { Presence, PresenceAction, PresenceRepo } from '../model/presence.ts';
import { AT, someAction, somePresence } from '../presence/presence.testing.ts';
import type { Judged } from './judged.ts';
import { FLEET_STATES, pictureFleet, totalsOf } from './picture-fleet.ts';
import { rosterOf } from './roster.ts';

const NEW = '3f2a91c0d4b5a6978812f3e4d5c6b7a8990a1b2c' as CommitId;
const OLD = '9b1c2d3e4f5061728394a5b6c7d8e9f001122334' as CommitId;
const MINUTE = 60_000;

function judged(host: string, more: Partial<Presence> = {}, of: Partial<Judged> = {}): Judged {
  const presence = somePresence({ host, ...more });
  return { host, presence, trust: 'unlisted', why: null, lastContactAt: AT, contenders: [], ...of };
}

function repo(more: Partial<PresenceRepo> = {}): PresenceRepo {
  return { name: 'it', wanted: NEW, applied: NEW, trouble: null, ...more };
}

/** `state: reason` of one host. */
function say(one: Judged, now = AT + MINUTE): string {
  const [host] = pictureFleet([one], { expected: null, now });
  return host!.reason === null ? host!.state : `${host!.state}: ${host!.reason}`;
}

const failed = (more: Partial<PresenceAction> = {}) =>
  someAction({ outcome: 'failed', exitCode: 1, commit: NEW, ...more });

describe('the state of a host and its reason', () => {
  test('a host that does its work needs no reason', () => {
    expect(say(judged('web-1'))).toBe('working');
  });

  test('silence begins after three of its own heartbeats', () => {
    const host = judged('web-1', { heartbeatMs: 5 * MINUTE });
    expect(say(host, AT + 15 * MINUTE)).toBe('working');
    expect(say(host, AT + 17 * MINUTE)).toBe('silent: no contact for 17 min, last at 3f2a91c');
    expect(say(judged('web-1', { heartbeatMs: 60 * MINUTE }), AT + 17 * MINUTE)).toBe('working');
  });

  test('a silent host says what it was when it was heard of last', () => {
    const more = { state: 'wedged' as const, repos: [repo(), repo({ name: 'lib', applied: OLD })] };
    expect(say(judged('web-1', more), AT + 60 * MINUTE)).toBe(
      'silent: no contact for 60 min, last at it 3f2a91c, lib 9b1c2d3, wedged then',
    );
  });

  test('another machine under the same name is named', () => {
    const contenders = [{ id: 'zzz\u001b[31m', addresses: ['10.0.0.7'] }];
    expect(say(judged('web-1', {}, { contenders }))).toBe(
      'conflicting: another machine publishes under its name: zzz\\x1b[31m from 10.0.0.7',
    );
    expect(say(judged('web-1', { conflict: 'another machine is web-1' }))).toBe(
      'conflicting: another machine is web-1',
    );
  });

  test.each<[string, Partial<Presence>]>([
    ['wedged: shop parked', { state: 'wedged', reason: 'shop parked' }],
    [
      'wedged: shop parked: asked for a human (exit code 78) at 3f2a91c',
      { actions: [failed({ exitCode: 78, parked: true })] },
    ],
    [
      'failed: shop failed with exit code 1 at 3f2a91c, attempt 3; 1 more',
      { actions: [failed({ attempt: 3 }), failed({ name: 'lb' })] },
    ],
    [
      'failed: shop asked to be tried again (exit code 75) at 3f2a91c',
      { actions: [failed({ exitCode: 75 })] },
    ],
    ['failed: shop took too long at 3f2a91c', { actions: [failed({ outcome: 'timed-out' })] }],
    ['working', { actions: [failed({ outcome: 'superseded' })] }],
    ['behind: wants 3f2a91c, has 9b1c2d3', { repos: [repo({ applied: OLD })] }],
    [
      'behind: wants 3f2a91c, has 9b1c2d3; busy with shop at 3f2a91c',
      { repos: [repo({ applied: OLD })], state: 'busy', reason: 'with shop at 3f2a91c' },
    ],
    [
      'behind: dns since 4 min: no such name; wants 3f2a91c, has 9b1c2d3',
      {
        repos: [
          repo({ applied: OLD, trouble: { code: 'dns', message: 'no such name', since: AT - 3 * MINUTE } }),
        ],
      },
    ],
    [
      'behind: it dns since 4 min: no such name',
      {
        repos: [
          repo({ name: 'lib' }),
          repo({ trouble: { code: 'dns', message: 'no such name', since: AT - 3 * MINUTE } }),
        ],
      },
    ],
    ['setup', { state: 'setup', repos: [repo({ applied: null })] }],
    ['behind: wants 3f2a91c, has nothing yet', { repos: [repo({ applied: null })] }],
    ['paused: until later: a test', { state: 'paused', reason: 'until later: a test' }],
  ])('%s', (said, presence) => {
    expect(say(judged('web-1', presence))).toBe(said);
  });

  test('of a host that is not believed nothing is taken but its name', () => {
    const of = { trust: 'forged', why: 'signed by another key' } as const;
    const options = { expected: [{ name: 'web-1', labels: { part: 'db' }, keys: [] }], now: AT };
    expect(pictureFleet([judged('web-1', {}, of)], options)).toEqual([
      {
        name: 'web-1',
        id: null,
        labels: { part: 'db' },
        state: 'forged',
        trust: 'forged',
        repos: [],
        lastContactAt: AT,
        reason: 'signed by another key',
        presence: null,
      },
    ]);
  });
});

describe('the fleet', () => {
  const fleet = [
    judged('well-10'),
    judged('well-2'),
    judged('busy', { state: 'busy', reason: 'with shop' }),
    judged('paused', { state: 'paused' }),
    judged('behind', { repos: [repo({ applied: OLD })] }),
    judged('failed', { actions: [failed()] }),
    judged('wedged', { state: 'wedged' }),
    judged('stranger', {}, { trust: 'stranger' }),
    judged('forged', {}, { trust: 'forged', presence: null }),
    judged('conflicting', { conflict: 'twice' }),
    judged('silent', {}, { lastContactAt: AT - 60 * MINUTE }),
    judged('setup', { state: 'setup' }),
  ];
  const expected = [{ name: 'absent', labels: { part: 'app' }, keys: [] }];
  const hosts = pictureFleet(fleet, { expected, now: AT });

  test('who needs somebody comes first, and names are in the order of people', () => {
    expect(hosts.map((host) => host.name)).toEqual([
      ...FLEET_STATES.filter((state) => state !== 'working'),
      'well-2',
      'well-10',
    ]);
  });

  test('totals count every state, and all', () => {
    expect(totalsOf(hosts)).toMatchObject({ all: 13, working: 2, silent: 1, absent: 1 });
    expect(totalsOf([])).toMatchObject({ all: 0, working: 0 });
  });

  test('the roster holds who is verified and not silent', () => {
    expect(rosterOf(hosts).map((member) => member.name)).toEqual([
      'behind',
      'busy',
      'conflicting',
      'failed',
      'paused',
      'setup',
      'wedged',
      'well-10',
      'well-2',
    ]);
  });

  test('labels of hosts.yaml count more than those that a host claims', () => {
    const listed = [{ name: 'web-1', labels: { part: 'db' }, keys: [] }];
    const [host] = pictureFleet([judged('web-1')], { expected: listed, now: AT });
    expect(host!.labels).toEqual({ deployment: 'prod', part: 'db' });
  });

  test('of two stores the newest presence that is believed counts, and the latest contact', () => {
    const [host, ...more] = pictureFleet(
      [
        judged('web-1', { sequence: 7 }, { lastContactAt: AT + 2 }),
        judged('web-1', { sequence: 8, state: 'paused' }, { lastContactAt: AT + 1 }),
        judged('web-1', { sequence: 9, state: 'wedged' }, { trust: 'forged', lastContactAt: AT + 9 }),
      ],
      { expected: null, now: AT },
    );
    expect(more).toEqual([]);
    expect(host).toMatchObject({ state: 'paused', lastContactAt: AT + 2 });
  });
});
