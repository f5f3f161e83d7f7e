import { expect, test } from 'vitest';
import type { ExecResult } from '../system/exec.ts';
import { troubleFromPush } from './scratch.ts';

const failed = (stderr: string, stdout = ''): ExecResult => ({
  ended: 'exited',
  exitCode: 128,
  signal: null,
  stdout: Buffer.from(stdout),
  stderr,
});

test.each([
  [
    'a read-only deploy key of GitHub',
    'ERROR: The key you are authenticating with has been marked as read only.\nfatal: Could not read from remote repository.\n',
  ],
  [
    'a token without the scope',
    "remote: Write access to repository not granted.\nfatal: unable to access 'https://github.com/a/b.git/': The requested URL returned error: 403\n",
  ],
  [
    'somebody else of GitHub',
    "remote: Permission to a/b.git denied to c.\nfatal: unable to access 'https://github.com/a/b.git/': The requested URL returned error: 403\n",
  ],
  [
    'a deploy key of GitLab',
    'remote: \nremote: ERROR: This deploy key does not have write access to this project.\nremote: \nfatal: Could not read from remote repository.\n',
  ],
  ['Gitea', 'remote: Gitea: Unauthorized\nfatal: User permission denied for writing.\nPermission denied\n'],
  ['git daemon', 'fatal: remote error: access denied or repository not exported: /it.git\n'],
  [
    'no credential at all',
    "fatal: could not read Username for 'https://git.example.com': terminal prompts disabled\n",
  ],
  [
    'a folder of another user',
    'remote: error: insufficient permission for adding an object to repository database ./objects\nerror: unpack failed\n',
  ],
])('%s: the credential may not write', (_, stderr) => {
  const found = troubleFromPush(failed(stderr), 'main', 'https://git.example.com/it.git');
  expect(found).toMatchObject({ code: 'forbidden', hint: expect.stringContaining('needs only to read') });
  expect(found.message).toMatch(/^expected a credential that may write to .*, found one that may not: \S/);
});

test('rules of a branch are told in the words of the server', () => {
  const stderr =
    'remote: error: GH006: Protected branch update failed for refs/heads/main.\u001b[0m\nremote: error: At least 1 approving review is required.\n';
  const stdout = '!\tHEAD:refs/heads/main\t[remote rejected] (protected branch hook declined)\n';
  const found = troubleFromPush(failed(stderr, stdout), 'main', 'https://git.example.com/it.git');
  expect(found).toMatchObject({ code: 'forbidden', hint: expect.stringContaining('--branch NAME') });
  expect(found.message).toContain('GH006: Protected branch update failed');
  expect(found.message).not.toContain('\u001b');
});

test('anything else is what it is for a fetch too', () => {
  const found = troubleFromPush(
    failed("fatal: unable to access 'https://x/': Could not resolve host: x\n"),
    'main',
    'https://x/it.git',
  );
  expect(found.code).toBe('dns');
  expect(troubleFromPush({ ...failed(''), ended: 'stalled' }, 'main', 'https://x/it.git').code).toBe(
    'silent',
  );
});
