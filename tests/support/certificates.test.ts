import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { createAuthority } from './certificates.ts';
import { needsProgram } from './needs.ts';
import { tempFolder } from './temp.ts';

const test = needsProgram('openssl');

test('issues certificates for the hosts that are named, also one that has ended', async () => {
  using folder = tempFolder();
  const authority = await createAuthority(folder.path);
  const read = (file: string) => new X509Certificate(readFileSync(file));
  const ca = read(authority.cert);
  const good = read((await authority.issue('good', { hosts: ['localhost', '127.0.0.1'] })).cert);
  expect(good.verify(ca.publicKey)).toBe(true);
  expect([good.checkHost('localhost'), good.checkIP('127.0.0.1')]).toEqual(['localhost', '127.0.0.1']);
  expect(new Date(good.validTo).getTime()).toBeGreaterThan(Date.now());
  const expired = read((await authority.issue('expired', { hosts: ['localhost'], expired: true })).cert);
  expect(new Date(expired.validTo).getTime()).toBeLessThan(Date.now());
});
