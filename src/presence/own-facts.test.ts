import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { NetworkInterfaceInfo } from 'node:os';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { parseFacts, readAddresses, readOperatorFacts } from './own-facts.ts';
import { isAddress, isHarmless } from './presence-text.ts';

const folder = mkdtempSync(join(tmpdir(), 'pullyu-facts-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;

function script(body: string): string {
  count += 1;
  const file = join(folder, `facts-${count}`);
  writeFileSync(file, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return file;
}

async function run(body: string, o: { timeoutMs?: number; signal?: AbortSignal } = {}) {
  return await readOperatorFacts(script(body), { env: { ...process.env, PULLYU_HIDDEN: 'x' }, ...o });
}

function face(address: string, internal = false): NetworkInterfaceInfo {
  return { address, internal, netmask: '', mac: '', cidr: null, family: 'IPv4' };
}

test('addresses are those at which others reach the machine', () => {
  const found = readAddresses({
    lo: [face('127.0.0.1', true), face('::1', true)],
    eth1: [face('fd00::2'), face('10.0.0.9'), face('fe80::1'), face('febf::1')],
    eth0: [face('169.254.3.4'), face('10.0.0.10'), face('10.0.0.9'), face('fec0::1')],
    none: undefined,
  });
  expect(found).toEqual(['10.0.0.10', '10.0.0.9', 'fd00::2', 'fec0::1']);
  const many = Array.from({ length: 300 }, (_, n) => face(`10.0.${n % 200}.1`));
  expect(readAddresses({ eth0: many })).toHaveLength(16);
  expect(readAddresses().every(isAddress)).toBe(true);
});

test("the operator's program adds facts, one a line", async () => {
  expect(
    await run('echo port=8080; echo; echo "# none"; printf "zone = eu west\\r\\n"; echo empty=; echo a=b=c'),
  ).toEqual({
    ok: true,
    facts: { port: '8080', zone: 'eu west', empty: '', a: 'b=c' },
  });
  expect(await run('exit 0')).toEqual({ ok: true, facts: {} });
});

test('it gets a clean environment, an empty input and a folder that is always there', async () => {
  const found = await run(
    'cat; env | grep -v -e ^PWD= -e ^SHLVL= -e ^_= -e ^OLDPWD= | cut -d= -f1 | sed "s/$/=/"; echo "folder=$(pwd)"',
  );
  const names = found.ok ? Object.keys(found.facts).sort() : [];
  expect(names.filter((name) => name !== 'HOME')).toEqual(['LANG', 'PATH', 'folder']);
  expect(found.ok && found.facts.folder).toBe('/');
});

test.each([
  ['exit 3', 'was expected to exit with 0, it exited with 3'],
  ['echo "no \u001b[2J database" >&2; exit 1', 'it exited with 1: no \\x1b[2J database'],
  ['kill -9 $$', 'it was ended by SIGKILL'],
  ['head -c 5000 /dev/zero | tr "\\0" x', 'was expected to print at most 4096 bytes, it printed more'],
  ['yes', 'was expected to print at most 4096 bytes, it printed more'],
  ['echo hello', 'line 1: expected key=value, found "hello"'],
  ['echo a=1; echo "b c=2"', 'line 2: expected a key of at most 64 letters'],
  ['echo =1', 'line 1: expected a key of at most 64 letters'],
  ['echo __proto__=1', 'line 1: expected a key of at most 64 letters'],
  ['echo a=1; echo a=2', 'line 2: expected each key once, found "a" again'],
  ['printf "a=\\033[31m\\n"', 'line 1: expected a printable value of at most 256 characters for "a"'],
  ['printf "a=%0300d\\n" 1', 'line 1: expected a printable value of at most 256 characters for "a"'],
  ['i=0; while [ $i -lt 33 ]; do echo k$i=1; i=$((i+1)); done', 'line 33: expected at most 32 facts'],
  ['printf "a=\\377\\n"', 'expected UTF-8, found bytes that are not'],
])('no facts, but a reason: %s', async (body, why) => {
  const found = await run(body);
  expect(found).toMatchObject({ ok: false });
  if (!found.ok) {
    expect(found.why).toContain(why);
    expect(found.why).toMatch(/^facts: \/[\x20-\x7e]*$/);
  }
});

test('a program that hangs is ended', async () => {
  const found = await run('sleep 1000 & sleep 1000', { timeoutMs: 300 });
  expect(found).toMatchObject({ ok: false, why: expect.stringContaining('to end within 0.3 s, it did not') });
  const aborted = await run('sleep 1000', { signal: AbortSignal.abort() });
  expect(aborted).toMatchObject({ ok: false, why: expect.stringContaining('was ended before') });
});

test('a program that is not there, or cannot be run, is a reason as well', async () => {
  const env = {};
  const missing = await readOperatorFacts(join(folder, 'missing'), { env });
  expect(missing).toMatchObject({ ok: false, why: expect.stringContaining('cannot be run (ENOENT)') });
  writeFileSync(join(folder, 'plain'), 'x');
  const plain = await readOperatorFacts(join(folder, 'plain'), { env });
  expect(plain).toMatchObject({ ok: false, why: expect.stringContaining('cannot be run (EACCES)') });
});

test('no output makes it throw, and what is taken is fit for a presence', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.stringMatching(/^[a-c=\n# ]*$/).map((t) => Buffer.from(t)),
      ),
      (bytes) => {
        const found = parseFacts(bytes);
        if (!found.ok) expect(isHarmless(found.why)).toBe(true);
        else for (const key of Object.keys(found.facts)) expect(key).toMatch(/^[\w.-]{1,64}$/);
      },
    ),
  );
});
