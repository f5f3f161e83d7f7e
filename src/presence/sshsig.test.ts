import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { needsProgram } from '../../tests/support/needs.ts';
import { PRESENCE_NAMESPACE } from '../model/presence.ts';
import { plainPublicKey } from '../model/public-key.ts';
import { exec } from '../system/exec.ts';
import { ensureHostKey, hostKeyPaths } from './host-key.ts';
import { signPresence, verifySignature } from './sshsig.ts';

const TEXT = '{\n "host": "web-1"\n}\n';
const folder = mkdtempSync(join(tmpdir(), 'pullyu-sshsig-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const key = ensureHostKey(folder, 'web-1');
const { privateFile } = hostKeyPaths(folder);
const SIGNATURE = signPresence(TEXT, key);
const withKeygen = needsProgram('ssh-keygen');

async function keygen(args: readonly string[], input = ''): Promise<{ code: number | null; said: string }> {
  const env = { PATH: process.env.PATH ?? '', HOME: folder };
  const done = await exec(['ssh-keygen', ...args], { env, input, timeoutMs: 60_000, cwd: folder });
  return { code: done.exitCode, said: `${done.stdout}${done.stderr}` };
}

/** As a person would sign by hand. */
async function signByHand(
  file: string,
  text: string,
  namespace: string,
  more: string[] = [],
): Promise<string> {
  const message = join(folder, 'message');
  writeFileSync(message, text);
  rmSync(`${message}.sig`, { force: true });
  const done = await keygen(['-Y', 'sign', '-f', file, '-n', namespace, ...more, message]);
  if (done.code !== 0) throw new Error(done.said);
  return readFileSync(`${message}.sig`, 'utf8');
}

async function otherKey(name: string, ...args: string[]): Promise<string> {
  const file = join(folder, name);
  const done = await keygen(['-q', '-N', '', '-C', 'other', '-f', file, ...args]);
  if (done.code !== 0) throw new Error(done.said);
  return file;
}

test('a signature names the key that made it', () => {
  expect(verifySignature(TEXT, SIGNATURE)).toBe(key.publicKey);
  expect(verifySignature(TEXT, SIGNATURE.trimEnd())).toBe(key.publicKey);
  expect(plainPublicKey(`${key.publicKey} web-1\n`)).toBe(key.publicKey);
});

test('of another text it says nothing', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      if (text !== TEXT) expect(verifySignature(text, SIGNATURE)).toBe(null);
      expect(verifySignature(text, signPresence(text, key))).toBe(key.publicKey);
    }),
  );
});

test('a signature with any character changed, added or missing is none', () => {
  fc.assert(
    fc.property(fc.nat(SIGNATURE.length - 2), fc.string({ unit: 'binary', maxLength: 3 }), (at, text) => {
      const damaged = SIGNATURE.slice(0, at) + text + SIGNATURE.slice(at + 1);
      if (damaged !== SIGNATURE) expect(verifySignature(TEXT, damaged)).toBe(null);
    }),
    { numRuns: 2000 },
  );
});

test('no part of one, and no other text, is a signature', () => {
  for (let length = 0; length < SIGNATURE.length - 1; length += 1)
    expect(verifySignature(TEXT, SIGNATURE.slice(0, length))).toBe(null);
  for (const text of [`${SIGNATURE}\n`, SIGNATURE + SIGNATURE, SIGNATURE.replaceAll('\n', '\r\n')])
    expect(verifySignature(TEXT, text)).toBe(null);
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.base64String()), (text) => {
      const armoured = `-----BEGIN SSH SIGNATURE-----\n${text}\n-----END SSH SIGNATURE-----\n`;
      expect([verifySignature(TEXT, text), verifySignature(TEXT, armoured)]).toEqual([null, null]);
    }),
  );
});

test('each bit of it counts', () => {
  const lines = SIGNATURE.trimEnd().split('\n');
  const blob = Buffer.from(lines.slice(1, -1).join(''), 'base64');
  for (let bit = 0; bit < blob.length * 8; bit += 1) {
    const flipped = Buffer.from(blob);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    const body = flipped.toString('base64').match(/.{1,70}/g) ?? [];
    const text = [lines[0], ...body, lines.at(-1), ''].join('\n');
    expect(verifySignature(TEXT, text)).toBe(null);
  }
});

withKeygen('ssh-keygen believes what we sign', async () => {
  writeFileSync(join(folder, 'signature'), SIGNATURE);
  writeFileSync(join(folder, 'allowed'), `web-1 namespaces="${PRESENCE_NAMESPACE}" ${key.publicKey}\n`);
  const verify = ['-Y', 'verify', '-f', 'allowed', '-n', PRESENCE_NAMESPACE, '-s', 'signature'];
  expect(await keygen([...verify, '-I', 'web-1'], TEXT)).toMatchObject({ code: 0 });
  expect(await keygen([...verify, '-I', 'web-2'], TEXT)).toMatchObject({ code: 255 });
  expect(await keygen([...verify, '-I', 'web-1'], `${TEXT} `)).toMatchObject({ code: 255 });
  const check = ['-Y', 'check-novalidate', '-n', PRESENCE_NAMESPACE, '-s', 'signature'];
  expect(await keygen(check, TEXT)).toMatchObject({ code: 0 });
});

withKeygen('we believe what ssh-keygen signs with our key, to the byte', async () => {
  const signature = await signByHand(privateFile, TEXT, PRESENCE_NAMESPACE);
  // ed25519 leaves nothing to chance.
  expect(signature).toBe(SIGNATURE);
  const other = await otherKey('other-ed25519', '-t', 'ed25519');
  const found = verifySignature(TEXT, await signByHand(other, TEXT, PRESENCE_NAMESPACE));
  expect(found).toBe(plainPublicKey(readFileSync(`${other}.pub`, 'utf8')));
});

withKeygen('signatures for another purpose, with another hash or type of key are none', async () => {
  expect(verifySignature(TEXT, await signByHand(privateFile, TEXT, 'git'))).toBe(null);
  expect(verifySignature(TEXT, await signByHand(privateFile, TEXT, 'other@pullyu!'))).toBe(null);
  const sha256 = await signByHand(privateFile, TEXT, PRESENCE_NAMESPACE, ['-O', 'hashalg=sha256']);
  expect(verifySignature(TEXT, sha256)).toBe(null);
  for (const type of ['rsa', 'ecdsa']) {
    const file = await otherKey(`other-${type}`, '-t', type);
    expect(verifySignature(TEXT, await signByHand(file, TEXT, PRESENCE_NAMESPACE))).toBe(null);
  }
});
