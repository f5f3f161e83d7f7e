import { execFile } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A new ed25519 key without a passphrase at `file` (and `file.pub`); returns the public line. */
export async function createSshKey(file: string): Promise<string> {
  rmSync(file, { force: true });
  rmSync(`${file}.pub`, { force: true });
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'pullyu-test', '-f', file], {
    timeout: 30_000,
  });
  return readFileSync(`${file}.pub`, 'utf8').trim();
}
