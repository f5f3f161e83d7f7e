import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  claimKey,
  hostKey,
  isNatsName,
  keyOfSubject,
  parseKey,
  subjectOfKey,
  transitionSubject,
  wakeSubject,
} from './nats-names.ts';

const name = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,63}$/);
const KEY = /^[-/_=.a-zA-Z0-9]+$/;

test('every name of a host has a key of its own, which tells the name', () => {
  fc.assert(
    fc.property(name, (host) => {
      const key = hostKey(host);
      expect(key).toMatch(KEY);
      expect(key.split('.')).toHaveLength(2);
      expect(parseKey(key)).toEqual({ kind: 'host', host });
      expect(parseKey(claimKey(host, 'id', 'boot'))).toEqual({ kind: 'claim', host });
      expect(keyOfSubject(subjectOfKey(key))).toBe(key);
    }),
  );
});

test('a name is one token of a subject: dots in it divide nothing', () => {
  expect(transitionSubject('web-1.example.com')).toBe('pullyu.transition.web-1=2eexample=2ecom');
  expect(wakeSubject('it')).toBe('pullyu.wake.it');
});

test.each([
  '',
  'host',
  'host.',
  'host.a.b',
  'host.A',
  'claim.a',
  'claim.a.xyz',
  'other.a',
  'host.=2e',
  'host.a=2f',
])('a key that is none of ours is left alone (%j)', (key) => expect(parseKey(key)).toBeNull());

test('what is no name is no part of a subject', () => {
  for (const text of ['', 'a b', '*', '>', 'a\n', 'A', '.a', 'x'.repeat(65)])
    expect(isNatsName(text)).toBe(false);
});
