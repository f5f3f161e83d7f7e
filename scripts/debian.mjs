// Installs the Debian packages that the tests use, when root: `node scripts/debian.mjs [--slow] [--bench]`. Quick when all is there.
// Starts no service. Not root or no Debian: says what is missing and which tests are skipped for it.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const POLICY = '/usr/sbin/policy-rc.d';
const MARK = '# written by pullyu scripts/debian.mjs for the time of one apt-get';
const QUERY_MS = 30_000;
const UPDATE_MS = 300_000;
const INSTALL_MS = 900_000;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const unpacked = join(root, 'node_modules/.cache/debian');
const lists = [
  'debian-packages.txt',
  ...(process.argv.includes('--slow') ? ['debian-packages-slow.txt'] : []),
  ...(process.argv.includes('--bench') ? ['debian-packages-bench.txt'] : []),
];
const wanted = lists.flatMap((list) => readList(join(root, 'scripts', list)));
const present = installed();
const missing = wanted.filter(({ name, extract }) =>
  extract ? !existsSync(join(unpacked, name)) : !present.has(name),
);
const names = missing.map(({ name }) => name).join(' ');

if (missing.length === 0) process.exitCode = 0;
else if (!has('apt-get'))
  give(`this is no Debian system; not installed: ${names}`, 'install their counterparts by hand');
else if (process.getuid() !== 0)
  give(`not root; not installed: ${names}`, `run as root: apt-get install --no-install-recommends ${names}`);
else install();

function install() {
  console.log(`setup: installing Debian packages: ${names}`);
  if (!apt(UPDATE_MS, ['update', '-qq']))
    return give('apt-get update failed', `look at its messages above; missing: ${names}`);
  const whole = missing.filter(({ extract }) => !extract).map(({ name }) => name);
  if (
    whole.length > 0 &&
    !withoutServices(() => apt(INSTALL_MS, ['install', '-y', '-qq', '--no-install-recommends', ...whole]))
  )
    return give(
      `apt-get install failed for: ${whole.join(' ')}`,
      'run "dpkg --configure -a", then this again',
    );
  for (const { name, extract } of missing)
    if (extract && !unpack(name)) return give(`could not unpack ${name}`, 'run this again');
  console.log('setup: Debian packages are ready');
}

/** Without them the tests go on, but in CI a skipped test is a failure: say so here already. */
function give(problem, hint) {
  console.error(`${process.env.CI ? 'error' : 'warning'}: ${problem}`);
  console.error('  the tests that need a missing program are skipped, and counted as skipped');
  console.error(`hint: ${hint}`);
  process.exitCode = process.env.CI ? 1 : 0;
}

function readList(file) {
  return readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter(Boolean)
    .map((line) => line.split(/\s+/))
    .map(([name, how]) => ({ name, extract: how === 'extract' }));
}

function installed() {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the placeholders are dpkg-query's
  const format = '${db:Status-Abbrev}${Package}\n';
  const query = spawnSync('dpkg-query', ['-W', '-f', format], {
    encoding: 'utf8',
    timeout: QUERY_MS,
  });
  return new Set(
    (query.stdout ?? '')
      .split('\n')
      .filter((line) => line.startsWith('ii'))
      .map((line) => line.slice(2).trim()),
  );
}

function has(program) {
  return (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, program)));
}

function apt(timeout, args, cwd = root) {
  const env = {
    ...process.env,
    DEBIAN_FRONTEND: 'noninteractive',
    DEBCONF_NONINTERACTIVE_SEEN: 'true',
    NEEDRESTART_SUSPEND: '1',
    RUNLEVEL: '1',
  };
  const options = [
    '-o',
    'DPkg::Lock::Timeout=120',
    '-o',
    'Dpkg::Use-Pty=0',
    '-o',
    'Dpkg::Options::=--force-confold',
  ];
  return (
    spawnSync('apt-get', [...options, ...args], { cwd, env, stdio: ['ignore', 'ignore', 'inherit'], timeout })
      .status === 0
  );
}

/**
 * Runs `work` while the system's own switch (policy-rc.d, exit 101) forbids packages to start services.
 * A switch that is there already is obeyed as it is, but one of ours that a crash left behind is removed afterwards.
 */
function withoutServices(work) {
  const ours = !existsSync(POLICY) || readFileSync(POLICY, 'utf8').includes(MARK);
  if (ours) writeFileSync(POLICY, `#!/bin/sh\n${MARK}\nexit 101\n`, { mode: 0o755 });
  try {
    return work();
  } finally {
    if (ours) rmSync(POLICY, { force: true });
  }
}

/** Its files only: none of its scripts runs, nothing is enabled at the next boot. */
function unpack(name) {
  mkdirSync(unpacked, { recursive: true });
  const folder = mkdtempSync(join(unpacked, 'unpacking-'));
  try {
    if (!apt(INSTALL_MS, ['download', '-qq', '-o', 'APT::Sandbox::User=root', name], folder)) return false;
    const file = readdirSync(folder).find((entry) => entry.endsWith('.deb'));
    if (
      !file ||
      spawnSync('dpkg-deb', ['-x', file, 'files'], { cwd: folder, timeout: QUERY_MS }).status !== 0
    )
      return false;
    renameSync(join(folder, 'files'), join(unpacked, name));
    return true;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
