import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatPresence } from './format-presence.ts';
import {
  formatTransition,
  formatValue,
  isHeartbeat,
  machineOf,
  parseTransition,
  parseValue,
} from './nats-values.ts';
import { AT, harmlessPresence, somePresence } from './presence.testing.ts';

const signed = { text: formatPresence(somePresence()), signature: 'a signature\n' };
const transition = { sequence: 7, at: AT, subject: 'shop ok', presence: signed, log: null };

test('what is written is read again', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 500 }), fc.string(), (text, signature) => {
      expect(parseValue(formatValue({ text, signature }))).toEqual({ text, signature });
    }),
  );
  const log = { repo: 'it', action: 'a/b', run: 'r', text: 'it \u001b broke\n' };
  expect(parseTransition(formatTransition({ ...transition, log }, 10_000))).toEqual({
    at: AT,
    subject: 'shop ok',
    presence: signed,
    log: { name: 'it-a_b.log', text: log.text },
  });
});

test('a log that is too large for a message of this server is left out', () => {
  const log = { repo: 'it', action: 'shop', run: 'r', text: 'x'.repeat(5_000) };
  expect(parseTransition(formatTransition({ ...transition, log }, 4_000))).toMatchObject({ log: null });
});

test.each([
  '',
  'null',
  '[]',
  '{}',
  '{"presence":1,"signature":"x"}',
  `{"presence":"${'x'.repeat(20_000)}","signature":"x"}`,
  `{"presence":"x","signature":"${'x'.repeat(20_000)}"}`,
  `"${'x'.repeat(2_000_000)}"`,
])('a value that is none is refused (%#)', (text) => {
  expect(parseValue(text)).toBeNull();
  expect(parseTransition(text)).toBeNull();
  expect(machineOf(parseValue(text))).toBeNull();
});

test('no text makes a reader throw', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), (text) => {
      parseValue(text);
      parseTransition(text);
    }),
  );
  expect(
    parseTransition(JSON.stringify({ ...transition, ...signed, presence: signed.text, log: { repo: 1 } })),
  ).toMatchObject({ log: null });
});

test('a presence that says only that its host is still there is a heartbeat, any other is news', () => {
  fc.assert(
    fc.property(harmlessPresence, (presence) => {
      const later = { ...presence, sequence: presence.sequence + 1, clock: AT + 1, freeBytes: 17 };
      expect(isHeartbeat(formatPresence(presence), formatPresence(later))).toBe(true);
      const other = { ...later, host: `${presence.host}x` };
      expect(isHeartbeat(formatPresence(presence), formatPresence(other))).toBe(false);
    }),
  );
});
