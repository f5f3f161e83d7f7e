import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatPrivateKey } from './host-key.ts';
import { LOG_MAX_BYTES, redactLog, secretValues } from './redact.ts';
import { RULES } from './redact-rules.ts';

const { privateKey } = generateKeyPairSync('ed25519');
const PEM = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 })
  .privateKey.export({ format: 'pem', type: 'pkcs1' })
  .toString();
const OPENSSH = formatPrivateKey({ privateKey, publicBytes: Buffer.alloc(32, 1) }, 'web-1');

describe('what looks like a secret is hidden', () => {
  test.each([
    ['https://ada:s3cret@git.example.com/it.git', 'https://***@git.example.com/it.git'],
    ['fatal: https://ada:p@ss/w:rd@git.example.com/', 'fatal: https://***@git.example.com/'],
    ['https://a-token-of-some-kind@git.example.com/', 'https://***@git.example.com/'],
    ['postgres://u:p@db/x redis://:pw@cache:6379', 'postgres://***@db/x redis://***@cache:6379'],
    ['> Authorization: Basic YWRhOnNlY3JldA==', '> Authorization: ***'],
    ['Authorization: Digest username="ada", response="6629fae4"', 'Authorization: ***'],
    ['{"authorization":"Bearer abc.def","x":1}', '{"authorization":"***","x":1}'],
    [`curl -H 'PRIVATE-TOKEN: abcdef' https://x`, `curl -H 'PRIVATE-TOKEN: *** https://x`],
    ['x-api-key: 0123', 'x-api-key: ***'],
    ['Set-Cookie: session=1234; Path=/', 'Set-Cookie: ***'],
    ['sent bearer AbCdEf0123456789 to it', 'sent bearer *** to it'],
    [`ghp_${'a1B2'.repeat(9)} is`, '*** is'],
    [`github_pat_${'a1B2_'.repeat(9)}`, '***'],
    ['(glpat-abcdefghij0123456789)', '(***)'],
    ['xoxb-123456789012-abcdefghij', '***'],
    ['AKIAIOSFODNN7EXAMPLE', '***'],
    ['jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmN', 'jwt ***'],
    ['sk-proj-abcdefghijklmnopqrstuv', '***'],
    ['password=hunter2 user=ada', 'password=*** user=ada'],
    ['DB_PASSWORD=hunter2,more', 'DB_PASSWORD=***'],
    ['password: "two words" next', 'password: *** next'],
    [`secret = 'never closed`, 'secret = ***'],
    ['{"client_secret": "abc", "id": 1}', '{"client_secret": ***, "id": 1}'],
    ['{\\"token\\":\\"abc\\"} x', '{\\"token\\":*** x'],
    ['https://x/?access_token=abc&page=2', 'https://x/?access_token=***&page=2'],
    ['AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG', 'AWS_SECRET_ACCESS_KEY=***'],
    ['tool --db-password hunter2 --verbose', 'tool --db-password *** --verbose'],
    ['tool --token=abc run', 'tool --token=*** run'],
    ['curl -u ada:hunter2 https://x', 'curl -u ada:*** https://x'],
    ['curl --user ada:hunter2', 'curl --user ada:***'],
    ['\u001b[1mpassword=\u001b[31mhunter2\u001b[0m', 'password=***'],
    ['token gh\u001b[7mp_0123456789abcdefghij', 'token ***'],
    ['\\x1b[32mghp_0123456789abcdefghij\\x1b[0m', '***'],
  ])('%j', (text, shown) => {
    expect(redactLog(text)).toBe(shown);
  });

  test.each([
    'fetched https://registry.example.com/@scope/package',
    'basic functionality, bearer authentication',
    'task-list-of-all-the-many-things-to-do',
    'error: expected a name, found "x" in file.yaml:3:4',
    'commit 3f2a91c0d4b5a6978812f3e4d5c6b7a8990a1b2c',
    'mail to ada@example.com at http://localhost:8080/',
  ])('and nothing else: %j', (text) => {
    expect(redactLog(text)).toBe(text);
  });
});

describe('private keys', () => {
  test.each([
    ['PKCS #8', PEM],
    ['RSA', RSA],
    ['OpenSSH', OPENSSH],
  ])('of the form %s are hidden, also a part of one', (_, key) => {
    const body = key.trimEnd().split('\n').slice(1, -1);
    const lines = ['before', ...key.trimEnd().split('\n'), 'after'];
    expect(redactLog(lines.join('\n'))).toBe('before\n***\nafter');
    // A log that begins, or ends, in the middle of one.
    for (let cut = 1; cut < lines.length - 1; cut += 1) {
      for (const part of [lines.slice(cut), lines.slice(0, cut + 1)]) {
        const shown = redactLog(part.join('\n'));
        if (part[0] === 'before' || part.at(-2)?.startsWith('-----END'))
          for (const line of body.filter((one) => one.length > 40)) expect(shown).not.toContain(line);
      }
    }
  });

  test('behind the times of a log, or in one line, they are hidden as well', () => {
    const lines = RSA.trimEnd().split('\n');
    const timed = lines.map((line) => `12:00:01 shop[3]: ${line}`).join('\n');
    expect(redactLog(`a\n${timed}\nb`)).toBe('a\n12:00:01 shop[3]: ***\nb');
    expect(redactLog(`KEY="${lines.join('\\n')}" next`)).toBe('KEY="***" next');
    expect(redactLog(`${lines.join(' ')} ${lines.join(' ')}`)).toBe('***');
  });

  test('a begin without a key hides only itself', () => {
    expect(redactLog('-----BEGIN PRIVATE KEY-----\nnot a key\n')).toBe('***\nnot a key\n');
  });
});

test('values of secret variables are hidden wherever they stand, in whichever form', () => {
  const env = { DB_PASS: 'corr&ct horse', HOME: '/root', API_KEY: 'two\nlines-of-it', PIN_TOKEN: '1234' };
  const secrets = secretValues(env);
  expect(secrets).toEqual(['corr&ct horse', 'two\nlines-of-it', '1234']);
  const base64 = Buffer.from('corr&ct horse').toString('base64');
  const text = `corr&ct horse! corr%26ct%20horse ${base64} lines-of-it 1234 /root`;
  expect(redactLog(text, secrets)).toBe('***! *** *** *** 1234 /root');
});

test('nothing of a log can move a terminal; line ends and tabs stay', () => {
  expect(redactLog('a\tb\r\nc\rd\u001b]0;title\u0007\u202e\0')).toBe(
    'a\tb\nc\nd\\x1b]0;title\\x07\\u{202e}\\x00',
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const left = redactLog(text).replace(/[\n\t]/g, '');
      expect(left).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
    }),
  );
});

test('however large or strange a log is, its end is kept, within the limit', () => {
  const unit = fc.constantFrom(
    '\0',
    'a',
    '\n',
    '\u{1f600}',
    '://',
    'password=',
    '-----BEGIN PRIVATE KEY-----',
  );
  fc.assert(
    fc.property(fc.array(unit, { minLength: 1, maxLength: 8 }), fc.nat(3), (parts, more) => {
      const text = parts.join('').repeat(Math.ceil((LOG_MAX_BYTES * more) / parts.join('').length) + 1);
      expect(Buffer.byteLength(redactLog(text))).toBeLessThanOrEqual(LOG_MAX_BYTES);
    }),
    { numRuns: 50 },
  );
  const lines = Array.from({ length: 20_000 }, (_, n) => `line ${n}`).join('\n');
  const shown = redactLog(lines);
  expect(shown).toMatch(/^line \d+\n/);
  expect(shown.endsWith('\nline 19999')).toBe(true);
});

test('what was redacted once stays as it is', () => {
  const text = fc.array(
    fc.constantFrom('password', '=', ':', ' ', '"', 'abc', '://', '@', 'Bearer x1234567890', '\n'),
  );
  fc.assert(
    fc.property(text, (parts) => {
      const once = redactLog(parts.join(''));
      expect(redactLog(once).replaceAll('*', '')).toBe(once.replaceAll('*', ''));
    }),
  );
});

test('no rule has a quantifier without a bound, or one inside of another', () => {
  for (const { name, pattern } of RULES) {
    const bare = pattern.source.replace(/\\./g, '').replace(/\[[^\]]*\]/g, 'C');
    expect({ name, found: bare.match(/[*+]|\{\d+,\}|\)\{/g) }).toEqual({ name, found: null });
  }
});
