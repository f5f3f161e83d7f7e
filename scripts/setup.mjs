// Makes a fresh checkout ready: npm packages, Debian packages (as root), bin/pullyu. Idempotent, keyed on the lock file.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

// A strict umask of root would keep everybody else from calling what is made here.
process.umask(0o022);
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const quiet = process.argv.includes('--quiet');
const say = (text) => quiet || console.log(text);

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`error: expected Node.js 20.19 or newer, found ${process.versions.node}`);
  console.error('hint: install a newer Node.js; Debian 13, NodeSource and nvm have one');
  process.exit(2);
}

const stampFile = join(root, 'node_modules/.pullyu-setup');
const wanted = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');
if (!existsSync(stampFile) || readFileSync(stampFile, 'utf8') !== wanted) {
  console.log('setup: installing npm packages');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  writeFileSync(stampFile, wanted);
}

const built = join(root, 'dist/main.cjs');
if (!existsSync(built) || newestSource() > statSync(built).mtimeMs) {
  say('setup: building bin/pullyu');
  run(process.execPath, ['scripts/build.mjs']);
}
if (process.argv.includes('--debian')) run(process.execPath, ['scripts/debian.mjs']);
say('setup: ready, run bin/pullyu --help');

function newestSource() {
  const files = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const times = files.map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs);
  return Math.max(
    ...times,
    statSync(join(root, 'package.json')).mtimeMs,
    statSync(join(root, 'scripts/build.mjs')).mtimeMs,
    // Another Node needs another code cache.
    statSync(process.execPath).ctimeMs,
  );
}

function run(file, args) {
  const result = spawnSync(file, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: 900_000,
  });
  if (result.status === 0) return;
  console.error(
    `error: "${[file, ...args].join(' ')}" ${result.error ? result.error.message : `ended with exit code ${result.status}`}`,
  );
  process.exit(1);
}
