import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PRESENCE_MAX_BYTES } from '../model/presence.ts';
import { formatPresence } from './format-presence.ts';
import { parsePresence } from './parse-presence.ts';
import { someAction, somePresence } from './presence.testing.ts';

// biome-ignore lint/suspicious/noExplicitAny: what is read from JSON, to be damaged at any depth.
type Plain = Record<string, any>;

const GOOD = formatPresence(
  somePresence({
    reason: 'all is well',
    repos: [
      {
        name: 'it',
        wanted: null,
        applied: null,
        trouble: { code: 'dns', message: 'no such name', since: 0 },
      },
    ],
    actions: [someAction({ name: 'shop' }), someAction({ name: 'web' })],
  }),
);

/** The good one with a change, as JSON. */
function changed(change: (value: Plain) => void): string {
  const value = JSON.parse(GOOD) as Plain;
  change(value);
  return JSON.stringify(value);
}

function why(text: string): string | null {
  const parsed = parsePresence(text);
  return parsed.ok ? null : parsed.why;
}

test('keys that a newer host adds are ignored', () => {
  const text = changed((p) => {
    p.uptime = { days: 3 };
    p.actions[0].cpu = '\u001b[31m';
    p.repos[0].trouble.hint = 'wait';
    p.repos[0].trouble.code = 'a-new-code';
  });
  const parsed = parsePresence(text);
  expect(parsed.ok).toBe(true);
  expect(JSON.stringify(parsed)).not.toContain('uptime');
});

test.each<[string, (value: Plain) => void, string]>([
  ['another version', (p) => (p.version = 2), 'expected version 1, found 2'],
  ['a name that is a path', (p) => (p.host = '../web'), 'host: expected a name, found something else'],
  ['an id of another form', (p) => (p.id = 'x'), 'id: expected the id of a host'],
  ['no labels', (p) => delete p.labels, 'labels: expected an object'],
  ['labels that are a list', (p) => (p.labels = []), 'labels: expected an object'],
  ['a label that is a number', (p) => (p.labels = { part: 1 }), 'labels.part: expected a printable text'],
  ['a label with an escape', (p) => (p.labels = { part: '\u001b[2J' }), 'labels.part: expected a printable'],
  ['a label with no plain name', (p) => (p.labels = { 'a b': 'x' }), 'labels: expected plain words as keys'],
  [
    'an address that is a command',
    (p) => (p.addresses = ['1.2.3.4; reboot']),
    'addresses[0]: expected an IP',
  ],
  ['an address with a zone', (p) => (p.addresses = ['fe80::1%eth0']), 'addresses[0]: expected an IP address'],
  ['too many addresses', (p) => (p.addresses = Array(17).fill('1.2.3.4')), 'addresses: expected at most 16'],
  ['a state that we do not know', (p) => (p.state = 'fine'), 'state: expected one of setup, working'],
  ['a state that objects inherit', (p) => (p.state = 'toString'), 'state: expected one of'],
  ['a reason of two lines', (p) => (p.reason = 'a\nb'), 'reason: expected a printable text'],
  ['a reason that turns the direction', (p) => (p.reason = 'a\u202eb'), 'reason: expected a printable text'],
  ['half a character', (p) => (p.reason = '\ud800'), 'reason: expected a printable text'],
  ['a reason that is too long', (p) => (p.reason = 'x'.repeat(1001)), 'reason: expected a printable text of'],
  ['a missing reason', (p) => delete p.reason, 'reason: expected a printable text'],
  ['repos that are no list', (p) => (p.repos = {}), 'repos: expected a list'],
  ['a repo that is a text', (p) => (p.repos = ['it']), 'repos[0]: expected an object'],
  ['a short commit', (p) => (p.repos[0].wanted = '3f2a91c'), 'repos[0].wanted: expected a full commit id'],
  [
    'a code with spaces',
    (p) => (p.repos[0].trouble.code = 'a b'),
    'repos[0].trouble.code: expected the code',
  ],
  ['no time', (p) => (p.repos[0].trouble.since = 0), 'repos[0].trouble.since: expected a time such as'],
  ['a day that is none', (p) => (p.clock = '2026-02-30T00:00:00.000Z'), 'clock: expected a time such as'],
  ['an hour that is the next day', (p) => (p.clock = '2026-02-03T24:00:00.000Z'), 'clock: expected a time'],
  ['a time of a zone', (p) => (p.clock = '2026-02-03T00:00:00.000+01'), 'clock: expected a time such as'],
  [
    'an outcome that we do not know',
    (p) => (p.actions[1].outcome = 'good'),
    'actions[1].outcome: expected one',
  ],
  ['a number as text', (p) => (p.actions[1].attempt = '1'), 'actions[1].attempt: expected a whole number'],
  ['one for true', (p) => (p.actions[1].parked = 1), 'actions[1].parked: expected true or false'],
  ['a sequence below zero', (p) => (p.sequence = -1), 'sequence: expected a whole number from 0'],
  ['a sequence that no number holds', (p) => (p.sequence = 2 ** 60), 'sequence: expected a whole number'],
  ['half a sequence', (p) => (p.sequence = 0.5), 'sequence: expected a whole number'],
  ['a heartbeat of a year', (p) => (p.heartbeatMs = 3e10), 'heartbeatMs: expected a whole number from 1 to'],
  ['no heartbeat', (p) => (p.heartbeatMs = 0), 'heartbeatMs: expected a whole number from 1 to'],
  ['a fact of no plain name', (p) => (p.facts = { 'a=b': 'x' }), 'facts: expected plain words as keys'],
  [
    'a fact that is too long',
    (p) => (p.facts = { a: 'x'.repeat(257) }),
    'facts.a: expected a printable text',
  ],
  [
    'too many facts',
    (p) => (p.facts = Object.fromEntries(Array.from({ length: 33 }, (_, n) => [n, '']))),
    'facts: expected at most 32',
  ],
])('refused by name: %s', (_, change, message) => {
  expect(why(changed(change))).toContain(message);
});

test('names that every object has are neither taken for values nor set', () => {
  expect(why(`{"__proto__": ${GOOD}}`)).toContain('version: expected');
  expect(why(GOOD.replace('"port"', '"__proto__"'))).toBe(
    'facts: expected plain words as keys, found something else',
  );
  const parsed = parsePresence(GOOD.replace('"port"', '"constructor"'));
  expect(parsed.ok && parsed.presence.facts.constructor).toBe('8080');
  expect(parsed.ok && parsed.presence.facts.toString).toBe(undefined);
});

test('what is too large is refused before it is looked at', () => {
  const filled = (length: number) => `${GOOD}${' '.repeat(length - GOOD.length)}`;
  expect(why(filled(PRESENCE_MAX_BYTES))).toBe(null);
  expect(why(filled(PRESENCE_MAX_BYTES + 1))).toBe('expected at most 16384 bytes, found more');
  expect(why('\u00fc'.repeat(PRESENCE_MAX_BYTES / 2 + 1))).toBe('expected at most 16384 bytes, found more');
  expect(why('['.repeat(PRESENCE_MAX_BYTES))).toBe('expected JSON, found something else');
});

test('no text whatever makes it throw, and every refusal is one printable line', () => {
  const damaged = fc
    .tuple(fc.nat(GOOD.length), fc.nat(40), fc.string({ unit: 'binary' }))
    .map(([at, length, text]) => GOOD.slice(0, at) + text + GOOD.slice(at + length));
  fc.assert(
    fc.property(
      fc.oneof(damaged, fc.string({ unit: 'binary' }), fc.json(), fc.constantFrom('', 'null')),
      (text) => {
        const said = why(text);
        if (said !== null) expect(said).toMatch(/^[\x20-\x7e]{1,300}$/);
      },
    ),
    { numRuns: 1000 },
  );
});

test('a value of any type in any place is taken or refused, never a crash', () => {
  const keys = Object.keys(JSON.parse(GOOD) as Plain);
  fc.assert(
    fc.property(fc.constantFrom(...keys), fc.jsonValue(), (key, value) => {
      const text = changed((p) => (p[key] = value));
      const parsed = parsePresence(text);
      if (parsed.ok) expect(parsePresence(formatPresence(parsed.presence)).ok).toBe(true);
    }),
    { numRuns: 1000 },
  );
});
