/**
 * A machine with a real systemd: this one's files in an overlay, booted by systemd-nspawn. No unit of this machine starts in it, and it has no
 * network but the loopback. What it writes is in memory. Its processes and mounts are in namespaces of their own, which end with this process,
 * whatever it dies of. Needs root.
 */
import { execFile } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { processIdentity, signalProcess } from '../../src/system/processes.ts';
import { type Child, descendants, startChild } from './child.ts';
import { program, type Ran } from './host.ts';
import { requireProgram } from './needs.ts';
import { until } from './until.ts';

/** For `needsRoot`. */
export const CONTAINER_PROGRAMS = ['systemd-nspawn', 'dbus-daemon', 'nsenter', 'unshare', 'setpriv'] as const;

/** The program of this checkout in the container: a copy, because the checkout may be built anew meanwhile. */
export const PULLYU = '/opt/pullyu/bin/pullyu';

const ENVIRONMENT = [
  'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  'HOME=/root',
  'LANG=C.UTF-8',
  'NO_COLOR=1',
];

const BOOTS_MAX = 4;
const BOOT_MS = 90_000;

// $1 folder, $2 package, $3 name. The first lines: without a systemd above us, control groups of our own, so that they can be removed.
const MACHINE = `set -eu
folder=$1 package=$2 name=$3
for tree in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
  [ ! -d /run/systemd/system ] && [ -w "$tree/cgroup.procs" ] || continue
  mkdir "$tree/$name"
  echo $$ >"$tree/$name/cgroup.procs"
done
mkdir -p /run/systemd/nspawn
mount -t tmpfs -o mode=0755 tmpfs /run/systemd/nspawn
mount -t tmpfs -o mode=0755 tmpfs "$folder"
mkdir "$folder/upper" "$folder/work" "$folder/root"
mount -t overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" overlay "$folder/root"
cd "$folder/root"
rm -rf etc/systemd/system/* etc/systemd/user/* etc/init.d etc/rc?.d etc/cron.d var/spool/cron/crontabs etc/pullyu var/lib/pullyu etc/hostname
mkdir -p etc/cron.d opt/pullyu/node_modules
: >etc/fstab
cp -r "$package/bin" "$package/dist" "$package/package.json" "$package/docs" "$package/schemas" opt/pullyu/
cd /
[ -d /run/systemd/system ] && unit= || unit=--keep-unit
boot=0
while [ $boot -lt ${BOOTS_MAX} ]; do
  boot=$((boot + 1))
  systemd-nspawn --register=no $unit --settings=no --quiet --directory="$folder/root" --machine="$name" --hostname=web-17 \\
    --private-network --link-journal=no --resolv-conf=off --timezone=off --console=read-only \\
    --bind-ro="$package/node_modules:/opt/pullyu/node_modules" --boot systemd.unit=multi-user.target </dev/null || true
done`;

export interface InsideOptions {
  readonly timeoutMs?: number;
  /** On top of a PATH, HOME=/root and LANG. */
  readonly env?: Readonly<Record<string, string>>;
  /** Of the machine. Default root. */
  readonly user?: string;
}

export interface SystemdContainer extends AsyncDisposable {
  /** Runs a program as from a shell of root: outside of every unit. A non-zero exit is a result. */
  run(argv: readonly string[], options?: InsideOptions): Promise<Ran>;
  /** A script of `sh -eu`; what it printed, trimmed. @throws Error with what it said when it fails. */
  sh(script: string, options?: InsideOptions): Promise<string>;
  pullyu(args: readonly string[], options?: InsideOptions): Promise<Ran>;
  /** null when there is none. No link to an absolute path may lie on the way. */
  read(path: string): string | null;
  write(path: string, text: string, mode?: number): void;
  /** In order, as an operator does it. */
  reboot(): Promise<void>;
  /** Everything ends in one instant, then the machine boots again with the files as they were. */
  cutPower(): Promise<void>;
  /** What the machine prints while it boots. */
  console(): string;
  close(): Promise<void>;
}

export async function bootContainer(): Promise<SystemdContainer> {
  // Not below /tmp: the container has one of its own.
  const folder = mkdtempSync('/var/tmp/pullyu-systemd-');
  const name = basename(folder);
  const machine = startChild([
    'setpriv',
    ...['--pdeathsig', 'KILL', '--'],
    ...[requireProgram('unshare'), '--mount', '--pid', '--fork', '--kill-child=KILL', '--mount-proc'],
    'sh',
    '-c',
    MACHINE,
    'sh',
    folder,
    dirname(dirname(realpathSync(program))),
    name,
  ]);
  let init = 0;
  const inside = (path: string) => join(`/proc/${init}/root`, path);
  const run = (argv: readonly string[], options: InsideOptions = {}) => runInside(init, argv, options);
  const boot = async () => {
    init = await until(
      () => {
        if (!machine.isRunning()) throw new Error('it ended');
        return findInit(machine, init);
      },
      { what: 'a container to be there', found: () => machine.output(), timeoutMs: BOOT_MS },
    );
    let said = '';
    const up = async () => {
      said = (await run(['systemctl', 'is-system-running'])).stdout.trim();
      return ['running', 'degraded'].includes(said);
    };
    await until(up, {
      what: 'systemd to be up',
      found: () => ({ said, console: machine.output() }),
      timeoutMs: BOOT_MS,
      everyMs: 100,
    });
  };
  const close = async () => {
    // At once: there is nothing in it that must be saved.
    machine.kill('SIGKILL');
    await machine.close();
    rmdirSync(folder);
    await removeGroups(name);
  };
  try {
    await boot();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    run,
    async sh(script, options) {
      const ran = await run(['sh', '-euc', script], options);
      if (ran.code === 0) return ran.stdout.trim();
      throw new Error(`expected exit code 0 of "${script}", found ${ran.code}: ${ran.stdout}${ran.stderr}`);
    },
    pullyu: (args, options) => run([PULLYU, ...args], options),
    read(path) {
      return existsSync(inside(path)) ? readFileSync(inside(path), 'utf8') : null;
    },
    write(path, text, mode = 0o644) {
      mkdirSync(dirname(inside(path)), { recursive: true });
      writeFileSync(inside(path), text);
      chmodSync(inside(path), mode);
    },
    async reboot() {
      await run(['systemctl', 'reboot']);
      await boot();
    },
    async cutPower() {
      const identity = processIdentity(init);
      if (identity !== null) signalProcess(identity, 'SIGKILL');
      await boot();
    },
    console: () => machine.output(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** The first process of the container, as we see it; null while there is none, or only the one that was there before. */
function findInit(machine: Child, before: number): number | null {
  for (const { pid } of descendants(machine.pid)) {
    if (pid === before) continue;
    try {
      // Ours, that of `unshare`, its own.
      if (/^NSpid:\t\d+\t\d+\t1$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) return pid;
    } catch {
      // It ended meanwhile.
    }
  }
  return null;
}

function runInside(init: number, argv: readonly string[], options: InsideOptions): Promise<Ran> {
  const { timeoutMs = 60_000, env = {}, user } = options;
  const account =
    user === undefined ? [] : ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups', '--'];
  const args = [
    ...['--target', String(init), '--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup', '--'],
    ...[
      'env',
      '--chdir=/',
      '-i',
      ...ENVIRONMENT,
      ...Object.entries(env).map(([key, value]) => `${key}=${value}`),
    ],
    ...['timeout', '--kill-after=5', String(timeoutMs / 1_000), ...account, ...argv],
  ];
  const limits = { timeout: timeoutMs + 10_000, killSignal: 'SIGKILL', maxBuffer: 16 * 1024 * 1024 } as const;
  return new Promise((resolve, reject) => {
    const child = execFile('nsenter', args, { ...limits, encoding: 'utf8' }, (error, stdout, stderr) => {
      if (error && typeof error.code === 'string') return reject(error);
      const json = <T>() => {
        try {
          return JSON.parse(stdout) as T;
        } catch {
          throw new Error(`expected JSON of "${argv.join(' ')}", found: ${stdout}${stderr}`);
        }
      };
      resolve({ code: child.exitCode, stdout, stderr, json });
    });
    child.stdin?.end();
  });
}

/** Control groups that the container made; nspawn leaves them when it is killed. With a systemd above us, that removes them. */
async function removeGroups(name: string): Promise<void> {
  for (const tree of ['/sys/fs/cgroup', '/sys/fs/cgroup/systemd', '/sys/fs/cgroup/unified']) {
    const group = join(tree, name);
    // As long as the last process is not quite gone the kernel refuses.
    await until(() => !existsSync(group) || removeGroup(group), { what: `the control group ${group} to go` });
  }
}

function removeGroup(group: string): true {
  for (const entry of readdirSync(group, { withFileTypes: true }))
    if (entry.isDirectory()) removeGroup(join(group, entry.name));
  rmdirSync(group);
  return true;
}
