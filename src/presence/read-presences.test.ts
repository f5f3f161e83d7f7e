import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import type { HostId } from '../model/ids.ts';
import type { ExpectedHost, Presence } from '../model/presence.ts';
import { createPresenceMemo } from './examine-presence.ts';
import { formatPresence } from './format-presence.ts';
import { ensureHostKey, type HostKey } from './host-key.ts';
import { AT, somePresence } from './presence.testing.ts';
import {
  createJudge,
  type HostPin,
  type JudgedPresence,
  type JudgeOptions,
  judgePresences,
} from './read-presences.ts';
import { signPresence } from './sshsig.ts';
import type { StoredPresence } from './store.ts';

const folder = mkdtempSync(join(tmpdir(), 'pullyu-judge-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const ADA = ensureHostKey(join(folder, 'ada'), 'web-1');
const BOB = ensureHostKey(join(folder, 'bob'), 'web-2');

interface Found {
  readonly key?: HostKey;
  readonly at?: string;
  readonly seen?: StoredPresence['seen'];
  readonly contenders?: StoredPresence['contenders'];
}

function stored(presence: Partial<Presence>, found: Found = {}): StoredPresence {
  const text = formatPresence(somePresence(presence));
  return {
    host: found.at ?? presence.host ?? 'web-1',
    text,
    signature: signPresence(text, found.key ?? ADA),
    token: 'x',
    seen: found.seen ?? { notBefore: null, notAfter: AT + 1_000 },
    contenders: found.contenders ?? [],
  };
}

function listed(name: string, ...keys: HostKey[]): ExpectedHost {
  return { name, labels: {}, keys: keys.map((key) => key.publicKey) };
}

const NO_PINS: ReadonlyMap<string, HostPin> = new Map();

function judge(all: readonly StoredPresence[], o: Partial<JudgeOptions> = {}) {
  return judgePresences(all, { expected: null, pins: NO_PINS, now: AT + 2_000, ...o });
}

function one(all: readonly StoredPresence[], o: Partial<JudgeOptions> = {}): JudgedPresence {
  const { presences } = judge(all, o);
  expect(presences).toHaveLength(1);
  return presences[0]!;
}

test('a host that hosts.yaml lists with its key is known', () => {
  const found = one([stored({})], { expected: [listed('web-1', BOB, ADA)] });
  expect(found).toMatchObject({ host: 'web-1', trust: 'known', why: null, key: ADA.publicKey });
  expect(found.presence).toEqual(somePresence());
});

test('a host that hosts.yaml does not list is a stranger, however well it signs', () => {
  const found = one([stored({})], { expected: [listed('web-2', ADA)] });
  expect(found).toMatchObject({ trust: 'stranger', why: 'hosts.yaml does not list it', key: ADA.publicKey });
  const { presences, pins } = judge([stored({})], { expected: [] });
  expect(presences[0]!.trust).toBe('stranger');
  expect(pins.size).toBe(0);
});

test('a host that signs with a key of another host is forged', () => {
  const found = one([stored({}, { key: BOB })], { expected: [listed('web-1', ADA), listed('web-2', BOB)] });
  expect(found).toMatchObject({
    trust: 'forged',
    presence: null,
    why: 'it was signed by a key that hosts.yaml does not list for this host',
  });
});

test('a host that is listed without a key is known by the key that is seen first', () => {
  const expected = [listed('web-1')];
  const first = judge([stored({})], { expected });
  expect(first.presences[0]!.trust).toBe('known');
  const second = one([stored({ sequence: 8 }, { key: BOB })], { expected, pins: first.pins });
  expect(second.trust).toBe('forged');
});

test('without hosts.yaml the key that is seen first counts, and no other after it', () => {
  const first = judge([stored({})]);
  expect(first.presences[0]!.trust).toBe('unlisted');
  expect([...first.pins]).toEqual([
    [
      'web-1',
      {
        id: somePresence().id,
        key: ADA.publicKey,
        sequence: 7,
        clock: AT,
        seenAt: AT,
        silentMs: 3 * somePresence().heartbeatMs,
      },
    ],
  ]);
  const { presences, pins } = judge([stored({ sequence: 9 }, { key: BOB })], { pins: first.pins });
  expect(presences[0]).toMatchObject({
    trust: 'forged',
    presence: null,
    why: 'it was signed by another key than the one that was seen first for this host',
  });
  expect(pins).toBe(first.pins);
  expect(one([stored({ sequence: 9 })], { pins }).trust).toBe('unlisted');
});

test('a machine that is made anew has another id and key, and is believed when the one before has been silent', () => {
  const first = judge([stored({})]);
  const later = AT + 3 * somePresence().heartbeatMs + 60_000;
  const anew = { id: 'z'.repeat(26) as HostId, sequence: 1, clock: later };
  const seen = { notBefore: null, notAfter: later + 1_000 };
  const at = { pins: first.pins, now: later + 2_000 };
  expect(one([stored(anew, { key: BOB, seen })], at).trust).toBe('unlisted');
  // The same id with another key is a key that was changed: by whom, nobody can tell.
  const { id } = somePresence();
  expect(one([stored({ ...anew, id }, { key: BOB, seen })], at).trust).toBe('forged');
  // Too early, by the clock of the reader: the one before may still be there.
  expect(one([stored(anew, { key: BOB })], { pins: first.pins }).trust).toBe('forged');
});

test('what was signed under another name is forged, wherever it is put', () => {
  const found = one([stored({ host: 'web-2' }, { at: 'web-1', key: BOB })]);
  expect(found).toMatchObject({
    host: 'web-1',
    trust: 'forged',
    why: 'it was signed for the host web-2, found under web-1',
  });
});

test('no signature, no presence: each has its reason', () => {
  const good = stored({});
  const changed = { ...good, text: good.text.replace('working', 'wedged ') };
  expect(one([changed])).toMatchObject({ trust: 'forged', why: 'its signature is not valid', key: null });
  expect(one([{ ...good, signature: '' }])).toMatchObject({ why: 'its signature is not valid' });
  const text = 'nonsense\u001b[2J';
  const nonsense = { ...good, text, signature: signPresence(text, ADA) };
  expect(one([nonsense])).toMatchObject({
    trust: 'forged',
    why: 'it is no presence: expected JSON, found something else',
  });
});

test('an old presence that is played again is not believed', () => {
  const old = stored({ sequence: 7, clock: AT - 60_000, state: 'wedged' });
  const { pins } = judge([stored({ sequence: 8 })]);
  const { presences, pins: after } = judge([old], { pins });
  expect(presences[0]).toMatchObject({
    trust: 'forged',
    presence: null,
    why: 'it is older (7) than what was seen before (8)',
  });
  expect(after).toBe(pins);
});

test('a machine that was put back to an older state is believed, because its clock goes on', () => {
  const { pins } = judge([stored({ sequence: 100 })]);
  const back = judge([stored({ sequence: 20, clock: AT + 60_000 })], { pins });
  expect(back.presences[0]!.trust).toBe('unlisted');
  // It lies there until the next heartbeat.
  const still = judge([stored({ sequence: 20, clock: AT + 60_000 })], { pins: back.pins });
  expect(still.presences[0]!.trust).toBe('unlisted');
  const again = one([stored({ sequence: 99, clock: AT - 1_000 })], { pins: back.pins });
  expect(again.trust).toBe('forged');
});

test('what a host said last may be older than what was seen of it: it counts for no contact', () => {
  const { pins } = judge([stored({ sequence: 100, clock: AT })]);
  const last = { ...stored({ sequence: 90, clock: AT - 60_000 }), isLastWord: true };
  const after = judge([last], { pins });
  expect(after.presences[0]).toMatchObject({ trust: 'unlisted', lastContactAt: AT - 60_000 });
  expect(after.pins.get('web-1')?.sequence).toBe(100);
});

test('a host whose clock was set back is believed by its sequence', () => {
  const { pins } = judge([stored({ sequence: 100, clock: AT + 1e9 })]);
  const after = judge([stored({ sequence: 101 })], { pins });
  expect(after.presences[0]!.trust).toBe('unlisted');
  expect(one([stored({ sequence: 101 })], { pins: after.pins }).trust).toBe('unlisted');
  expect(one([stored({ sequence: 5, clock: AT + 1e9 })], { pins: after.pins }).trust).toBe('forged');
});

test('a new key that hosts.yaml lists counts anew; while both are listed, the old one plays nothing again', () => {
  const { pins } = judge([stored({ sequence: 1_000 })], { expected: [listed('web-1', ADA)] });
  const fresh = stored({ sequence: 1, clock: AT - 5_000 }, { key: BOB });
  expect(one([fresh], { expected: [listed('web-1', BOB)], pins }).trust).toBe('known');
  const both = [listed('web-1', ADA, BOB)];
  const moved = judge([stored({ sequence: 1, clock: AT + 1 }, { key: BOB })], { expected: both, pins });
  expect(moved.presences[0]!.trust).toBe('known');
  expect(one([stored({ sequence: 999 })], { expected: both, pins: moved.pins }).trust).toBe('forged');
});

test('contact was at the time that the host says, as far as that can be true', () => {
  const contact = (clock: number, notBefore: number | null, notAfter: number) =>
    one([stored({ clock }, { seen: { notBefore, notAfter } })]).lastContactAt;
  expect(contact(AT, AT - 5_000, AT + 1_000)).toBe(AT);
  expect(contact(AT - 60_000, AT - 5_000, AT + 1_000)).toBe(AT - 5_000);
  expect(contact(AT + 60_000, AT - 5_000, AT + 1_000)).toBe(AT + 1_000);
  // Found by a reader that has just begun: it may lie there for long.
  expect(contact(AT - 60_000, null, AT + 1_000)).toBe(AT - 60_000);
  expect(contact(AT + 60_000, null, AT + 1_000_000)).toBe(AT + 2_000);
});

test('of several stores the newest that is believed counts, and contenders of all are told', () => {
  const contender = { id: 'y', bootId: 'b', addresses: [], clock: AT };
  const older = stored({ sequence: 7, clock: AT - 1_000 }, { contenders: [contender] });
  const newer = stored({ sequence: 8 });
  const forged = stored({ sequence: 99 }, { key: BOB });
  const expected = [listed('web-1', ADA)];
  for (const all of [
    [older, newer, forged],
    [forged, older, newer],
    [newer, forged, older],
  ]) {
    const found = one(all, { expected });
    expect(found.trust).toBe('known');
    expect(found.presence?.sequence).toBe(8);
    expect(found.lastContactAt).toBe(AT);
    expect(found.contenders).toEqual([contender]);
  }
});

test('pins are the same object when nothing is new, so that nobody writes them', () => {
  const all = [stored({}), stored({ host: 'web-2' }, { key: BOB })];
  const first = judge(all);
  expect(first.pins.size).toBe(2);
  expect(judge(all, { pins: first.pins }).pins).toBe(first.pins);
  const moved = judge([stored({ id: 'bbbbbbbbbbbbbbbbbbbbbbbbbb' as HostId, sequence: 8 })], first);
  expect(moved.pins.get('web-1')?.id).toBe('bbbbbbbbbbbbbbbbbbbbbbbbbb');
  expect(first.pins.get('web-1')?.sequence).toBe(7);
});

test('a memo changes nothing but the time that it takes', () => {
  const memo = createPresenceMemo();
  const all = [stored({}), stored({ host: 'web-2' }, { key: BOB })];
  const first = judge(all, { memo });
  expect(first).toEqual(judge(all));
  const second = judge(structuredClone(all), { memo });
  expect(second.presences[0]!.presence).toBe(first.presences[0]!.presence);
  // The same signature over another text, or in another place, is looked at anew.
  const [web1, web2] = all as [StoredPresence, StoredPresence];
  const swapped = [
    { ...web1, text: web2.text },
    { ...web2, host: 'web-3' },
  ];
  const trusts = judge(swapped, { memo }).presences.map((found) => found.trust);
  expect(trusts).toEqual(['forged', 'forged']);
  expect(judge(all, { memo }).presences.map((found) => found.trust)).toEqual(['unlisted', 'unlisted']);
});

test('who reads again and again judges as if each reading were looked at whole', () => {
  const hosts = ['web-1', 'web-2', 'web-3'];
  const HOUR = 3_600_000;
  const made = new Map<string, StoredPresence>();
  /** The same object for the same presence. */
  const presenceOf = (host: string, sequence: number, isBob: boolean) => {
    const name = [host, sequence, isBob].join(' ');
    const id = (isBob ? 'b' : 'a').repeat(26) as HostId;
    const clock = AT + sequence * HOUR;
    const seen = { notBefore: null, notAfter: clock };
    const found = made.get(name) ?? stored({ host, sequence, id, clock }, { key: isBob ? BOB : ADA, seen });
    made.set(name, found);
    return found;
  };
  const change = fc.record({
    host: fc.constantFrom(...hosts, 'web-4'),
    isBob: fc.boolean(),
    what: fc.constantFrom('new', 'new', 'old', 'gone'),
    list: fc.constantFrom(null, null, null, 'ada', 'bob'),
    lateHours: fc.integer({ min: -1, max: 2 }),
  });
  const lists = { ada: [listed('web-1', ADA), listed('web-2')], bob: [listed('web-1', BOB)] };
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 12 }), (changes) => {
      const { judge: again, pins } = createJudge(new Map());
      let known: ReadonlyMap<string, HostPin> = new Map();
      let all = new Map(hosts.map((host) => [host, presenceOf(host, 0, false)]));
      for (const [n, { host, isBob, what, list, lateHours }] of changes.entries()) {
        all = new Map(all);
        if (what === 'gone') all.delete(host);
        else all.set(host, presenceOf(host, what === 'new' ? n : 0, isBob));
        const o = { expected: list && lists[list], now: AT + (n + lateHours) * HOUR };
        const whole = judge([...all.values()], { ...o, pins: known });
        const { presences, changed } = again([...all.values()], o);
        expect(presences).toEqual(whole.presences);
        expect(new Map(pins())).toEqual(new Map(whole.pins));
        expect(changed === 'nothing').toBe(whole.pins === known);
        known = whole.pins;
      }
    }),
  );
});

test('no presence that somebody without the key can make is believed', () => {
  const expected = [listed('web-1', ADA)];
  const good = stored({});
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constant(good.text), fc.constant(good.signature));
  fc.assert(
    fc.property(text, text, fc.constantFrom('web-1', 'web-2', '__proto__'), (some, signature, host) => {
      const found = one([{ ...good, host, text: some, signature }], { expected });
      const isGood = some === good.text && signature === good.signature && host === 'web-1';
      expect(found.trust === 'known').toBe(isGood);
    }),
  );
});
