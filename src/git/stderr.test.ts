import { expect, test } from 'vitest';
import { PullyuError } from '../errors.ts';
import { trouble } from '../model/trouble.ts';
import type { ExecResult } from '../system/exec.ts';
import { isCloneTrouble, TroubleError, troubleFromError, troubleFromGit } from './stderr.ts';

function result(stderr: string, more: Partial<ExecResult> = {}): ExecResult {
  return { ended: 'exited', exitCode: 128, signal: null, stdout: Buffer.alloc(0), stderr, ...more };
}

const remote = 'https://git.example.com/it.git';

test.each([
  ["fatal: unable to access 'https://x/': Could not resolve host: git.example.com", 'dns'],
  [
    'ssh: Could not resolve hostname x: Name or service not known\nfatal: Could not read from remote repository.',
    'dns',
  ],
  [
    "fatal: unable to access 'https://x/': Failed to connect to x port 443 after 3 ms: Connection refused",
    'unreachable',
  ],
  [
    'ssh: connect to host x port 22: Connection refused\nfatal: Could not read from remote repository.',
    'unreachable',
  ],
  ['error: RPC failed; curl 56 Recv failure: Connection reset by peer\nfatal: early EOF', 'unreachable'],
  [
    'fatal: the remote end hung up unexpectedly\nfatal: early EOF\nfatal: fetch-pack: invalid index-pack output',
    'unreachable',
  ],
  ["fatal: unable to access 'https://x/': Operation too slow. Less than 10 bytes/sec transferred", 'silent'],
  [
    "fatal: unable to access 'https://x/': server certificate verification failed. CAfile: none CRLfile: none",
    'tls',
  ],
  ["fatal: unable to access 'https://x/': SSL certificate problem: certificate has expired", 'tls'],
  ["fatal: Authentication failed for 'https://x/'", 'auth-refused'],
  ["fatal: could not read Username for 'https://x': terminal prompts disabled", 'auth-refused'],
  ['git@x: Permission denied (publickey).\nfatal: Could not read from remote repository.', 'auth-refused'],
  ["fatal: unable to access 'https://x/': The requested URL returned error: 403", 'forbidden'],
  ["fatal: repository 'https://x/' not found", 'not-found'],
  [
    "fatal: '/none' does not appear to be a git repository\nfatal: Could not read from remote repository.",
    'not-found',
  ],
  ["fatal: unable to access 'https://x/': The requested URL returned error: 429", 'slow-down'],
  ["fatal: unable to access 'https://x/': The requested URL returned error: 503", 'slow-down'],
  ["fatal: unable to access 'https://x/': The requested URL returned error: 500", 'server-error'],
  [
    'remote: fatal: packfile is corrupt\nremote: aborting due to possible repository corruption on the remote side.\nfatal: protocol error: bad pack header',
    'server-error',
  ],
  ["fatal: unable to access 'https://x/': The requested URL returned error: 301", 'redirected'],
  ['fatal: https://x/info/refs not valid: is this a git repository?', 'not-git'],
  ['Host key verification failed.\nfatal: Could not read from remote repository.', 'host-key'],
  ["fatal: couldn't find remote ref refs/heads/nope", 'ref-missing'],
  ['fatal: remote error: upload-pack: not our ref 1111', 'ref-missing'],
  ['fatal: write error: No space left on device\nfatal: fetch-pack: invalid index-pack output', 'disk-full'],
  ["error: unable to create '/x/refs/y.lock': Read-only file system", 'read-only'],
  ["error: cannot lock ref 'refs/pullyu/incoming': Unable to create '/x.lock': File exists.", 'clone-broken'],
  ['fatal: pack has 1 unresolved delta\nfatal: fetch-pack: invalid index-pack output', 'clone-broken'],
  ['error: object file objects/ab/cd is empty\nfatal: loose object abcd is corrupt', 'clone-broken'],
  ["fatal: not a git repository: '/x/clone.git'", 'clone-broken'],
  ['fatal: something that nobody has ever seen', 'git-failed'],
])('%j is %s', (stderr, code) => {
  expect(troubleFromGit(result(stderr), { doing: 'fetch', remote }).code).toBe(code);
});

test('the same complaint without a remote is about the clone, never about the network', () => {
  expect(troubleFromGit(result('fatal: early EOF'), { doing: 'read' }).code).toBe('git-failed');
});

test('ends of all kinds have a name', () => {
  const of = (more: Partial<ExecResult>, r: string | null = remote) =>
    troubleFromGit(result('', more), { doing: 'fetch', remote: r }).code;
  expect(of({ ended: 'stalled' })).toBe('silent');
  expect(of({ ended: 'timed-out' })).toBe('silent');
  expect(of({ ended: 'timed-out' }, null)).toBe('git-failed');
  expect(of({ ended: 'too-much-output' })).toBe('limit');
  expect(of({ exitCode: null, signal: 'SIGKILL' })).toBe('git-failed');
  expect(of({ exitCode: null, signal: 'SIGXFSZ' })).toBe('limit');
  expect(of({ exitCode: 127 })).toBe('git-missing');
  expect(of({})).toBe('git-failed');
});

test('the clone is to blame for what is not understood, and for nothing that has another cause', () => {
  const blames = (stderr: string, more: Partial<ExecResult> = {}) =>
    isCloneTrouble(troubleFromGit(result(stderr, more), { doing: 'fetch', remote }));
  expect(blames('fatal: something new')).toBe(true);
  expect(blames('fatal: bad object refs/pullyu/target')).toBe(true);
  expect(blames('error: index-pack died of signal 9')).toBe(false);
  expect(blames('fatal: fetch-pack: invalid index-pack output')).toBe(false);
  expect(blames('warning: failed to remove .nfs01: Device or resource busy')).toBe(false);
  expect(blames('', { exitCode: null, signal: 'SIGKILL' })).toBe(false);
  expect(blames('', { ended: 'aborted' })).toBe(false);
  expect(blames("fatal: transport 'ext' not allowed")).toBe(false);
  expect(blames('fatal: early EOF')).toBe(false);
});

test('what is shown is one escaped line without credentials', () => {
  const stderr = "fatal: \u001b[2J unable to access 'https://user:secret@x/y': Connection refused\nmore";
  const { message } = troubleFromGit(result(stderr), { doing: 'fetch', remote });
  expect(message).toMatch(/^git could not fetch: /);
  expect(message).not.toMatch(/secret|\p{Cc}/u);
});

test('exceptions of starting git and of our files are troubles; surprises are not', () => {
  const context = { doing: 'fetch' };
  expect(troubleFromError(new PullyuError('program-missing', 'no git'), context)?.code).toBe('git-missing');
  const system = (code: string, syscall: string) => Object.assign(new Error(code), { code, syscall });
  expect(troubleFromError(system('ENOEXEC', 'spawn git'), context)?.code).toBe('git-missing');
  expect(troubleFromError(system('ENOSPC', 'write'), context)?.code).toBe('disk-full');
  expect(troubleFromError(system('EROFS', 'open'), context)?.code).toBe('read-only');
  expect(troubleFromError(system('EDQUOT', 'write'), context)?.code).toBe('disk-full');
  expect(troubleFromError(system('EACCES', 'open'), context)?.code).toBe('no-permission');
  expect(troubleFromError(system('EBUSY', 'rename'), context)?.hint).toContain('unmount');
  const inner = trouble('clone-broken', 'x');
  expect(troubleFromError(new TroubleError(inner), context)).toBe(inner);
  expect(troubleFromError(new TypeError('defect'), context)).toBeNull();
});
