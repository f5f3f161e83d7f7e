/** cloud-init's own check of user data, out of the unpacked package: nothing of it is installed or runs at boot. */
import { execFile } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { needs } from './needs.ts';
import { tempFolder } from './temp.ts';

const checkout = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const library = join(checkout, 'node_modules/.cache/debian/cloud-init/usr/lib/python3/dist-packages');
/** Debian's, whose libraries it needs; not another one of the PATH. */
const PYTHON = '/usr/bin/python3';

/** Like needsProgram, for the tests that call `checkCloudConfig`. */
export function needsCloudInit() {
  return needs([library, PYTHON].filter((path) => !existsSync(path)));
}

/** What `cloud-init schema` says about the text; `valid` is its verdict. */
export function checkCloudConfig(text: string): Promise<{ readonly valid: boolean; readonly said: string }> {
  const folder = tempFolder('cloud-init');
  const file = join(folder.path, 'user-data');
  writeFileSync(file, text);
  return new Promise((resolve) => {
    const args = ['-m', 'cloudinit.cmd.main', 'schema', '--config-file', file];
    const env = {
      PATH: '/usr/bin:/bin',
      PYTHONPATH: library,
      PYTHONDONTWRITEBYTECODE: '1',
      HOME: folder.path,
    };
    execFile(PYTHON, args, { env, cwd: folder.path, timeout: 60_000 }, (error, stdout, stderr) => {
      folder[Symbol.dispose]();
      resolve({ valid: error === null, said: `${stdout}${stderr}` });
    });
  });
}
