import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PullyuError } from '../errors.ts';
import { plainPublicKey } from '../model/public-key.ts';
import { checkExpectedHosts, parseExpectedHosts } from './hosts-yaml.ts';

const ADA = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJlKyUGBjNWS7t+lB4y7ZAQWOD5YTkLFssEpXwAm6Syu';
const BOB = ADA.replace('6Syu', '6Syv');

function problems(text: string | Uint8Array): readonly string[] {
  try {
    parseExpectedHosts(text);
  } catch (error) {
    if (!(error instanceof PullyuError) || error.code !== 'repo-config') throw error;
    expect(error.hint).toBe('docs/hosts-yaml.md describes every key');
    return error.lines;
  }
  return [];
}

test('hosts are named with their labels and keys, or with nothing', () => {
  const text = `hosts:
  web-1:
    labels: {part: app, version: 1.10}
    keys:
      - ${ADA} root@web-1
      - ${ADA}
  web-2: {key: ${BOB}}
  web-3: {}
  17:
`;
  expect(parseExpectedHosts(text)).toEqual([
    { name: '17', labels: {}, keys: [] },
    { name: 'web-1', labels: { part: 'app', version: '1.10' }, keys: [ADA] },
    { name: 'web-2', labels: {}, keys: [BOB] },
    { name: 'web-3', labels: {}, keys: [] },
  ]);
  expect(parseExpectedHosts('hosts: {}')).toEqual([]);
});

test.each<[string, string, string[]]>([
  ['an empty file', '', ['hosts.yaml:1:1: expected the key "hosts", found none']],
  [
    'an unknown key',
    'hosts:\n  web-1: {label: {}}\nhost: 1\n',
    [
      'hosts.yaml:2:11: hosts.web-1: unknown key "label"; did you mean "labels"?',
      'hosts.yaml:3:1: unknown key "host"; did you mean "hosts"?',
    ],
  ],
  [
    'a list',
    'hosts: [web-1]',
    ['hosts.yaml:1:8: hosts: expected a mapping from the names of hosts, found a list'],
  ],
  [
    'a name that is a path',
    'hosts: {../web: {}}',
    [
      'hosts.yaml:1:9: hosts: expected a name of at most 64 lower-case letters, digits, ".", "_" and "-" that begins with a letter or digit, found "../web"',
    ],
  ],
  [
    'a key of another type',
    'hosts: {a: {keys: [ssh-rsa AAAAB3NzaC1yc2E x]}}',
    [
      'hosts.yaml:1:20: hosts.a.keys[0]: expected the public key of a host such as "ssh-ed25519 AAAA...", found one of the type ssh-rsa',
    ],
  ],
  [
    'a key that was cut',
    `hosts: {a: {key: ${ADA.slice(0, -1)}}}`,
    [
      'hosts.yaml:1:18: hosts.a.key: expected the public key of a host such as "ssh-ed25519 AAAA...", found something else',
    ],
  ],
  [
    'a number',
    'hosts: {a: {keys: [12345678]}}',
    [
      'hosts.yaml:1:20: hosts.a.keys[0]: expected the public key of a host such as "ssh-ed25519 AAAA...", found a number',
    ],
  ],
  [
    'one key for two hosts',
    `hosts:\n  a: {key: ${ADA}}\n  b: {keys: [${BOB}, ${ADA} again]}\n`,
    ['hosts.yaml:3:3: hosts.b: expected a key of its own, found the key of a'],
  ],
  [
    'a host twice',
    'hosts:\n  a: {}\n  a: {}\n',
    ['hosts.yaml:3:3: expected each key once, found "a" again (first in line 2)'],
  ],
])('refused in its place: %s', (_, text, expected) => {
  expect(problems(text)).toEqual(expected);
});

test('a private key is named as what it is, and nothing of it is repeated', () => {
  const secret = 'b3BlbnNzaC1rZXktdjEAAAAABG5vbmU';
  const [line] = problems(
    `hosts:\n  a:\n    key: |\n      -----BEGIN OPENSSH PRIVATE KEY-----\n      ${secret}\n      -----END OPENSSH PRIVATE KEY-----\n`,
  );
  expect(line).toContain('found a private key, which belongs nowhere but on its host');
  expect(line).not.toContain(secret);
});

test('ten thousand hosts with keys and labels fit', () => {
  const text = Array.from({ length: 10_000 }, (_, n) => {
    const key =
      ADA.slice(0, -3) +
      Buffer.from([n >> 8, n & 255])
        .toString('base64')
        .slice(0, 3);
    return `  web-${n}: {labels: {part: app, zone: eu, deployment: prod}, keys: [${key} root@web-${n}]}\n`;
  });
  expect(parseExpectedHosts(`hosts:\n${text.join('')}`)).toHaveLength(10_000);
});

test('no text whatever makes it throw anything but a list of problems', () => {
  const piece = fc.constantFrom(
    'hosts',
    ':',
    ' ',
    '{',
    '}',
    '[',
    ']',
    '\n',
    '  ',
    'web-1',
    'keys',
    'labels',
    ADA,
    '"',
    '&a',
    '*a',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(piece).map((parts) => parts.join('')),
        fc.uint8Array(),
      ),
      (text) => {
        const { hosts, problems } = checkExpectedHosts(text);
        expect(hosts === null).toBe(problems.length > 0);
        for (const host of hosts ?? []) for (const key of host.keys) expect(plainPublicKey(key)).toBe(key);
      },
    ),
  );
});
