import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PRESENCE_MAX_BYTES, type Presence } from '../model/presence.ts';
import { formatPresence } from './format-presence.ts';
import { parsePresence } from './parse-presence.ts';
import { anyPresence, harmlessPresence, someAction, somePresence } from './presence.testing.ts';

function read(text: string): Presence {
  const parsed = parsePresence(text);
  if (!parsed.ok) throw new Error(parsed.why);
  return parsed.presence;
}

function names(presence: Presence): string[] {
  return presence.actions.map((action) => action.name);
}

test('a presence is JSON for people, with ISO times, ended by a line feed', () => {
  const text = formatPresence(somePresence());
  expect(text.split('\n').slice(0, 8)).toEqual([
    '{',
    ' "version": 1,',
    ' "host": "web-1",',
    ' "id": "abcdefghijklmnopqrstuvwxyz",',
    ' "state": "working",',
    ' "reason": null,',
    ' "clock": "2026-11-25T15:00:00.000Z",',
    ' "sequence": 7,',
  ]);
  expect(text.endsWith('\n}\n')).toBe(true);
});

test('the order in which labels, facts and actions were found makes no other text', () => {
  const one = somePresence({ labels: { a: '1', b: '2' }, facts: { x: '1', y: '2' } });
  const other = somePresence({ labels: { b: '2', a: '1' }, facts: { y: '2', x: '1' } });
  expect(formatPresence(one)).toBe(formatPresence(other));
});

test('what was written is what is read', () => {
  fc.assert(
    fc.property(harmlessPresence, (presence) => {
      const text = formatPresence(presence);
      const found = read(text);
      // Actions have an order of their own.
      const sorted = (p: Presence) => ({ ...p, actions: p.actions.map((a) => JSON.stringify(a)).sort() });
      expect(sorted(found)).toEqual(sorted(presence));
      expect(formatPresence(found)).toBe(text);
    }),
  );
});

test('whatever a host says of itself fits, and readers take it', () => {
  fc.assert(
    fc.property(anyPresence, (presence) => {
      const text = formatPresence(presence);
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(PRESENCE_MAX_BYTES);
      expect(read(text).id).toBe(presence.id);
    }),
    { numRuns: 50 },
  );
});

test('failing actions come first, then all by name', () => {
  const actions = [
    someAction({ name: 'b' }),
    someAction({ name: 'z', outcome: 'failed' }),
    someAction({ name: 'a', outcome: null }),
    someAction({ name: 'p', parked: true }),
  ];
  expect(names(read(formatPresence(somePresence({ actions }))))).toEqual(['p', 'z', 'a', 'b']);
});

test('of too many actions those that are well are left out, and counted', () => {
  const actions = Array.from({ length: 1000 }, (_, n) =>
    someAction({ name: `action-${String(n).padStart(3, '0')}`, outcome: n % 50 === 49 ? 'failed' : 'ok' }),
  );
  const found = read(formatPresence(somePresence({ actions, actionsOmitted: 5 })));
  expect(found.actions.length).toBeGreaterThan(40);
  expect(found.actionsOmitted).toBe(1005 - found.actions.length);
  expect(found.actions.filter((action) => action.outcome === 'failed')).toHaveLength(20);
  // As many as there is room for: one more would not fit.
  const more = somePresence({ actions: [...found.actions, someAction({ name: 'action-998' })] });
  expect(read(formatPresence(more)).actions).toHaveLength(found.actions.length);
});

test('sentences are shortened only when leaving out actions was not enough', () => {
  const message = 'x'.repeat(900);
  const repos = Array.from({ length: 40 }, (_, n) => ({
    name: `repo-${n}`,
    wanted: null,
    applied: null,
    trouble: { code: 'dns' as const, message, since: 0 },
  }));
  const few = read(formatPresence(somePresence({ repos: repos.slice(0, 5), reason: message })));
  expect(few.reason).toBe(message);
  const found = read(formatPresence(somePresence({ repos, reason: message })));
  expect(found.repos).toHaveLength(40);
  expect(found.reason).toBe(`${'x'.repeat(197)}...`);
  expect(found.actionsOmitted).toBe(1);
});

test('absurdly much is cut down until it fits, labels last', () => {
  const many = (count: number, length: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`key-${n}`, '\u00fc'.repeat(length)]));
  const actions = Array.from({ length: 300 }, (_, n) => someAction({ name: `a${n}`, outcome: 'failed' }));
  const found = read(formatPresence(somePresence({ actions, labels: many(20, 50), facts: many(32, 256) })));
  expect(Object.keys(found.labels)).toHaveLength(20);
  expect(found.actions).toEqual([]);
  expect(found.actionsOmitted).toBe(300);
  expect(Object.keys(found.facts).length).toBeGreaterThan(10);
  const labelled = read(formatPresence(somePresence({ labels: many(2000, 50) })));
  expect(Object.keys(labelled.labels).length).toBeGreaterThan(50);
});

test('texts with control and bidirectional characters are escaped, not refused by readers', () => {
  const found = read(
    formatPresence(
      somePresence({
        reason: 'a\u001b[31mb\u202ec\nd',
        labels: { part: 'a\u200bb' },
        addresses: ['fe80::1%eth0', '::1', 'nonsense'],
        facts: { 'no key': 'x', __proto__: 'x', ok: '\ud83d' },
      }),
    ),
  );
  expect(found.reason).toBe('a\\x1b[31mb\\u{202e}c\\x0ad');
  expect(found.labels).toEqual({ part: 'a\\u{200b}b' });
  expect(found.addresses).toEqual(['::1']);
  expect(found.facts).toEqual({ ok: '\\u{d83d}' });
});

test('a character of two units is not cut in half', () => {
  const found = read(formatPresence(somePresence({ reason: `${'x'.repeat(996)}${'\u{1f600}'.repeat(20)}` })));
  expect(found.reason).toBe(`${'x'.repeat(996)}...`);
});
