import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { processesMarked } from '../system/processes.ts';
import { killOrphanedGit, ownerMark, runGit } from './run.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pullyu-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

/** A git that tells what it was given. */
function fakeGit(script: string): Record<string, string> {
  mkdirSync(join(folder, 'bin'), { recursive: true });
  writeFileSync(join(folder, 'bin/git'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { PATH: `${join(folder, 'bin')}:${process.env.PATH}` };
}

test('git gets nothing of our environment', async () => {
  vi.stubEnv('GIT_DIR', '/elsewhere');
  vi.stubEnv('SUDO_UID', '1000');
  vi.stubEnv('GIT_TRACE', '1');
  vi.stubEnv('SECRET_TOKEN', 'xyzzy');
  const env = fakeGit('env');
  const result = await runGit(['x'], { timeoutMs: 10_000, env });
  const names = result.stdout
    .toString()
    .split('\n')
    .map((line) => line.split('=')[0]);
  for (const name of ['GIT_DIR', 'SUDO_UID', 'GIT_TRACE', 'SECRET_TOKEN']) expect(names).not.toContain(name);
  for (const name of ['GIT_CONFIG_NOSYSTEM', 'GIT_NO_REPLACE_OBJECTS', 'GIT_NO_LAZY_FETCH']) {
    expect(names).toContain(name);
  }
  expect(result.stdout.toString()).toContain('GIT_ALLOW_PROTOCOL=\n');
});

test('access adds its settings and protocol, and its secret is in neither argv nor environment', async () => {
  const env = fakeGit('echo "$@"; env; echo "secret: $(cat <&3)"');
  const result = await runGit(['fetch'], {
    timeoutMs: 10_000,
    env,
    gitDir: '/x',
    lazyFetch: true,
    config: ['a.b=c'],
    access: {
      config: ['d.e=f'],
      env: { GIT_ALLOW_PROTOCOL: 'https' },
      secretInput: 'xyzzy',
      protocol: 'https',
    },
  });
  const text = result.stdout.toString();
  expect(text).toMatch(/-c a\.b=c -c d\.e=f --git-dir=\/x fetch\n/);
  expect(text).toContain('GIT_ALLOW_PROTOCOL=https');
  expect(text).not.toContain('GIT_NO_LAZY_FETCH');
  expect(text.replace('secret: xyzzy', '')).not.toContain('xyzzy');
  expect(text).toContain('secret: xyzzy');
});

test('no protocol is allowed without access', async () => {
  const result = await runGit(['ls-remote', 'https://127.0.0.1:1/x'], { timeoutMs: 10_000 });
  expect(result.exitCode).toBe(128);
  expect(result.stderr).toContain("transport 'https' not allowed");
});

test('a limit of file size and a umask hold for git alone', async () => {
  const env = fakeGit(`umask; ulimit -f; exec 2>/dev/null; head -c 100000 /dev/zero > ${folder}/big`);
  const before = process.umask(0o077);
  try {
    const result = await runGit(['x'], { timeoutMs: 10_000, env, fileMaxBytes: 4_096 });
    expect(result.stdout.toString()).toBe('0022\n8\n');
    expect(readFileSync(join(folder, 'big')).length).toBe(4_096);
  } finally {
    process.umask(before);
  }
});

test('a git that says nothing is ended, and a deadline ends all of it', async () => {
  const env = fakeGit('sleep 1000 & wait');
  expect((await runGit(['x'], { timeoutMs: 60_000, stallMs: 50, env })).ended).toBe('stalled');
  expect((await runGit(['x'], { timeoutMs: 50, env })).ended).toBe('timed-out');
});

test('what a killed agent left running for this state folder is found and ended, and nothing else', async () => {
  const env = fakeGit('sleep 1000 & wait');
  const mine = runGit(['x'], { timeoutMs: 60_000, env: { ...env, ...ownerMark(folder) } });
  const other = runGit(['x'], { timeoutMs: 60_000, env: { ...env, ...ownerMark(`${folder}2`) } });
  await vi.waitUntil(() => processesMarked('PULLYU_OWNER', folder).length === 2, { timeout: 10_000 });
  await vi.waitUntil(() => processesMarked('PULLYU_OWNER', `${folder}2`).length === 2, { timeout: 10_000 });
  expect(killOrphanedGit(folder)).toBe(2);
  expect((await mine).signal).toBe('SIGKILL');
  expect(killOrphanedGit(folder)).toBe(0);
  expect(killOrphanedGit(`${folder}2`)).toBe(2);
  await other;
});
