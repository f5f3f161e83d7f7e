import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { needsProgram } from '../../tests/support/needs.ts';
import { exec } from '../system/exec.ts';
import { ensureHostKey, formatPrivateKey, hostKeyPaths, parsePrivateKey, readHostKey } from './host-key.ts';

let state: string;
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'pullyu-key-'));
});
afterEach(() => rmSync(state, { recursive: true, force: true }));

async function keygen(...args: string[]): Promise<string> {
  const env = { PATH: process.env.PATH ?? '', HOME: state };
  const done = await exec(['ssh-keygen', ...args], { env, timeoutMs: 60_000 });
  if (done.exitCode !== 0) throw new Error(done.stderr);
  return done.stdout.toString();
}

test('the key is made once, and only its owner may read it', () => {
  const { folder, privateFile, publicFile } = hostKeyPaths(state);
  expect(readHostKey(state)).toBe(null);
  const key = ensureHostKey(state, 'web-1');
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(statSync(privateFile).mode & 0o777).toBe(0o600);
  expect(readFileSync(publicFile, 'utf8')).toBe(`${key.publicKey} web-1\n`);
  const before = readFileSync(privateFile, 'utf8');
  expect(ensureHostKey(state, 'web-1').publicKey).toBe(key.publicKey);
  expect(readHostKey(state)?.publicKey).toBe(key.publicKey);
  expect(readFileSync(privateFile, 'utf8')).toBe(before);
  expect(readdirSync(folder).sort()).toEqual(['host_ed25519', 'host_ed25519.pub']);
});

test('a public file that is missing or of another key is written again', () => {
  const { publicFile } = hostKeyPaths(state);
  const key = ensureHostKey(state, 'web-1');
  rmSync(publicFile);
  ensureHostKey(state, 'web-1');
  expect(readFileSync(publicFile, 'utf8')).toBe(`${key.publicKey} web-1\n`);
  writeFileSync(publicFile, 'nonsense\n');
  ensureHostKey(state, 'web-1');
  expect(readFileSync(publicFile, 'utf8')).toBe(`${key.publicKey} web-1\n`);
});

test('of several that make the key at once all get the same one', async () => {
  const file = join(import.meta.dirname, 'host-key.ts');
  const code = `import { ensureHostKey } from ${JSON.stringify(file)};
    process.stdout.write(ensureHostKey(${JSON.stringify(state)}, 'web-1').publicKey);`;
  const bundle = join(state, 'make.mjs');
  const options = {
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: bundle,
    logLevel: 'error',
  } as const;
  await build({ ...options, stdin: { contents: code, resolveDir: state } });
  const env = { PATH: process.env.PATH ?? '' };
  const made = await Promise.all(
    Array.from({ length: 6 }, () => exec([process.execPath, bundle], { env, timeoutMs: 60_000 })),
  );
  const keys = made.map((one) => `${one.stdout}${one.stderr}`);
  expect(keys).toEqual(Array(6).fill(readHostKey(state)?.publicKey));
  expect(readdirSync(hostKeyPaths(state).folder).sort()).toEqual(['host_ed25519', 'host_ed25519.pub']);
});

test('what a crash left beside the key is removed before it is written again', () => {
  const { folder, publicFile } = hostKeyPaths(state);
  ensureHostKey(state, 'web-1');
  const left = `${publicFile}.0123abcd.tmp`;
  writeFileSync(left, '');
  utimesSync(left, 1, 1);
  rmSync(publicFile);
  ensureHostKey(state, 'web-1');
  expect(readdirSync(folder).sort()).toEqual(['host_ed25519', 'host_ed25519.pub']);
});

test('a damaged key is not replaced: the fleet knows the old one', () => {
  const { privateFile } = hostKeyPaths(state);
  ensureHostKey(state, 'web-1');
  writeFileSync(privateFile, readFileSync(privateFile, 'utf8').slice(0, 100));
  const damaged = readFileSync(privateFile, 'utf8');
  for (const use of [() => ensureHostKey(state, 'web-1'), () => readHostKey(state)])
    expect(use).toThrow(/expected an ed25519 key without a passphrase in .*host_ed25519, found none/);
  expect(readFileSync(privateFile, 'utf8')).toBe(damaged);
});

test('no damage to the file makes another key of it', () => {
  const text = formatPrivateKey(ensureHostKey(state, 'web-1'), 'web-1');
  const { publicKey } = parsePrivateKey(text)!;
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.string({ maxLength: 3 }), (at, some) => {
      const found = parsePrivateKey(text.slice(0, at) + some + text.slice(at + 1));
      expect([undefined, publicKey]).toContain(found?.publicKey);
    }),
    { numRuns: 500 },
  );
});

test('comments of any length are padded as OpenSSH wants it', () => {
  const key = ensureHostKey(state, 'web-1');
  for (let length = 0; length < 20; length += 1)
    expect(parsePrivateKey(formatPrivateKey(key, 'x'.repeat(length)))?.publicKey).toBe(key.publicKey);
});

needsProgram('ssh-keygen')('OpenSSH reads the key that we make, with any comment', async () => {
  const key = ensureHostKey(state, 'web-1');
  expect(await keygen('-y', '-f', hostKeyPaths(state).privateFile)).toBe(`${key.publicKey} web-1\n`);
  expect(await keygen('-l', '-f', hostKeyPaths(state).publicFile)).toMatch(
    /^256 SHA256:\S+ web-1 \(ED25519\)/,
  );
  for (let length = 1; length < 9; length += 1) {
    const file = join(state, 'some');
    writeFileSync(file, formatPrivateKey(key, 'x'.repeat(length)), { mode: 0o600 });
    expect(await keygen('-y', '-f', file)).toBe(`${key.publicKey} ${'x'.repeat(length)}\n`);
  }
});

needsProgram('ssh-keygen')(
  'a key that an operator made is used; of another type, or locked, it is refused',
  async () => {
    const { folder, privateFile } = hostKeyPaths(state);
    ensureHostKey(state, 'web-1');
    for (const [type, passphrase, good] of [
      ['ed25519', '', true],
      ['ed25519', 'secret', false],
      ['rsa', '', false],
      ['ecdsa', '', false],
    ] as const) {
      for (const name of readdirSync(folder)) rmSync(join(folder, name));
      await keygen('-q', '-t', type, '-N', passphrase, '-C', 'by hand', '-f', privateFile);
      chmodSync(privateFile, 0o600);
      const use = () => ensureHostKey(state, 'web-1').publicKey;
      if (good) expect(readFileSync(`${privateFile}.pub`, 'utf8')).toBe(`${use()} by hand\n`);
      else expect(use).toThrow(/expected an ed25519 key/);
    }
  },
);
