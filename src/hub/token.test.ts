import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseAuthorization } from './authorization.ts';
import { createGuessBrake } from './guess-brake.ts';
import { foreignRef } from './host-refs.ts';
import { createPushReader } from './push-commands.ts';
import { makeToken, mayPush, recognizeToken, type Token } from './token.ts';
import { formatTokens, parseTokens } from './token-file.ts';

const given: Omit<Token, 'id' | 'hash'> = {
  scope: 'write',
  repos: ['it'],
  host: null,
  expiresAt: 1_000,
  createdAt: 0,
  note: '',
};
const { token, text } = makeToken(given);
const tokens = new Map([[token.id, token]]);

test('a token is recognized until it expires, and nothing else is', () => {
  expect(recognizeToken(text, tokens, 999)).toBe(token);
  expect(recognizeToken(text, tokens, 1_000)).toBeNull();
  const other = makeToken(given).text;
  for (const wrong of [
    other,
    `${text}x`,
    text.slice(0, -1),
    '',
    token.hash,
    `pyu_${token.id}_${token.hash}`,
    other.replace(/pyu_[0-9a-f]+/, `pyu_${token.id}`),
  ])
    expect(recognizeToken(wrong, tokens, 0)).toBeNull();
  expect(JSON.stringify(token)).not.toContain(text.split('_')[2]);
});

test('a scope reaches as far as it says', () => {
  const of = (scope: Token['scope'], repos = ['it']) => mayPush({ ...token, scope, repos }, 'it');
  expect([of('read'), of('write'), of('status'), of('write', ['other']), of('write', ['*'])]).toEqual([
    'none',
    'all',
    'some',
    'none',
    'all',
  ]);
});

test.each([
  [`Bearer ${text}`, text],
  [`bearer   ${text}`, text],
  [`Basic ${Buffer.from(`user:${text}`).toString('base64')}`, text],
  [`Basic ${Buffer.from(`${text}:`).toString('base64')}`, text],
  [null, null],
  ['', null],
  ['Basic', null],
  ['Basic !!!', null],
  [`Basic ${Buffer.from('nothing').toString('base64')}`, null],
  [`Digest username="x"`, null],
  [`Bearer ${'x'.repeat(2_000)}`, null],
])('the header %j is read', (header, found) => {
  expect(parseAuthorization(header)).toBe(found);
});

test('a list of tokens is read as it was written, and nothing else is taken for one', () => {
  expect(parseTokens(formatTokens([token]))).toEqual([token]);
  for (const broken of [
    '',
    '{}',
    'null',
    '[]',
    '{"version":2,"tokens":[]}',
    formatTokens([{ ...token, scope: 'all' as 'read' }]),
    formatTokens([{ ...token, repos: ['../x'] }]),
    formatTokens([token]).slice(0, -5),
  ])
    expect(parseTokens(broken)).toBeNull();
});

test('who guesses waits twice as long each time, and is forgotten', () => {
  const brake = createGuessBrake();
  const waits = Array.from({ length: 13 }, () => brake.wrong('a', 0));
  expect(waits).toEqual([...Array<number>(10).fill(0), 1_000, 2_000, 4_000]);
  expect(brake.wrong('b', 0)).toBe(0);
  for (let n = 0; n < 20; n += 1) brake.wrong('a', 0);
  expect(brake.wrong('a', 0)).toBe(300_000);
  expect(brake.wrong('a', 15 * 60_000)).toBe(0);
});

const ZERO = '0'.repeat(40);
const ONE = '1'.repeat(40);
const packet = (line: string) => (line.length + 4).toString(16).padStart(4, '0') + line;

test('the commands of a push are read, however its bytes fall', () => {
  const head = `${packet(`shallow ${ONE}`)}${packet(`${ZERO} ${ONE} refs/heads/a\0 report-status atomic`)}${packet(`${ONE} ${ZERO} refs/heads/b`)}0000`;
  const whole = Buffer.from(`${head}PACK...`, 'latin1');
  fc.assert(
    fc.property(fc.array(fc.nat({ max: whole.length }), { maxLength: 6 }), (cuts) => {
      const reader = createPushReader();
      let state = 'reading';
      const at = [0, ...[...cuts].sort((a, b) => a - b), whole.length];
      for (let n = 1; n < at.length; n += 1) state = reader.push(whole.subarray(at[n - 1]!, at[n]!));
      expect({ state, commands: reader.commands }).toEqual({
        state: 'done',
        commands: [
          { old: ZERO, new: ONE, ref: 'refs/heads/a' },
          { old: ONE, new: ZERO, ref: 'refs/heads/b' },
        ],
      });
    }),
  );
});

test.each([
  ['the empty request', '0000', 'done'],
  ['a signed push', `${packet('push-cert\0 report-status')}0000`, 'strange'],
  ['no packets', 'GET / HTTP', 'strange'],
  ['half a push', packet(`${ZERO} ${ONE} refs/heads/a`), 'reading'],
])('%s', (_, body, state) => {
  expect(createPushReader().push(Buffer.from(body, 'latin1'))).toBe(state);
});

test('a host writes its own refs and no others', () => {
  const push = (ref: string, isRemoval = false) => ({ ref, old: ONE, new: isRemoval ? ZERO : ONE });
  const own = [
    'refs/heads/hosts/web-1',
    'refs/heads/presence/web-1',
    'refs/heads/roster',
    'refs/heads/conflicts/web-1/0a',
  ];
  expect(
    foreignRef(
      'web-1',
      own.map((ref) => push(ref)),
    ),
  ).toBeNull();
  expect(foreignRef('web-1', [push('refs/heads/conflicts/web-1/0a', true)])).toBeNull();
  for (const ref of [
    'refs/heads/hosts/web-10',
    'refs/heads/hosts/web-1/x',
    'refs/heads/main',
    'refs/heads/conflicts/web-2/0a',
    'HEAD',
  ])
    expect(foreignRef('web-1', [push(own[0]!), push(ref)])).toBe(ref);
  for (const ref of own.slice(0, 3)) expect(foreignRef('web-1', [push(ref, true)])).toBe(ref);
  expect(foreignRef('', [push(own[2]!)])).toBe(own[2]);
});
