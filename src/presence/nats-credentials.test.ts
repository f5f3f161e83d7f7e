import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { tempFolder } from '../../tests/support/temp.ts';
import { parseNatsSecret, readNatsSecret } from './nats-credentials.ts';

test.each([
  ['username=web\npassword=ge=heim\n', { kind: 'password', user: 'web', password: 'ge=heim' }],
  ['# for the bus\n\nusername=web\r\npassword=x\r\n', { kind: 'password', user: 'web', password: 'x' }],
  ['s3cr3t\n', { kind: 'token', token: 's3cr3t' }],
  ['-----BEGIN NATS USER JWT-----\nx\n', { kind: 'creds', text: '-----BEGIN NATS USER JWT-----\nx\n' }],
  ['', null],
  ['username=web\n', null],
  ['password=web\n', null],
  ['two tokens\n', null],
  ['one\ntwo\n', null],
])('%j', (text, secret) => expect(parseNatsSecret(text)).toEqual(secret));

test('no text makes it throw', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void parseNatsSecret(text)));
});

test('what is wrong with the file is said without what it holds', () => {
  using temp = tempFolder();
  const file = join(temp.path, 'secret');
  expect(readNatsSecret(file)).toMatchObject({ ok: false, trouble: { code: 'auth-refused' } });
  writeFileSync(file, 'user geheim\n');
  const read = readNatsSecret(file);
  expect(JSON.stringify(read)).not.toContain('geheim');
  expect(read).toMatchObject({ ok: false, trouble: { message: expect.stringContaining(file) } });
  expect(readNatsSecret(null)).toEqual({ ok: true, value: null });
});
