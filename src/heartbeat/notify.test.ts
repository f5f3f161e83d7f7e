import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, test } from 'vitest';
import { needsProgram } from '../../tests/support/needs.ts';
import { tempFolder } from '../../tests/support/temp.ts';
import { createNotifier, watchdogPeriodMs } from './notify.ts';

/** Node cannot receive datagrams at a Unix socket; perl is on every Debian. One line a datagram, fields joined by `|`. */
const RECEIVER = `
use Socket; $| = 1;
socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die; bind($s, pack_sockaddr_un($ARGV[0])) or die;
print "listening\\n";
while (defined recv($s, my $text, 65536, 0)) { $text =~ s/\\n/|/g; print "$text\\n" if length $text; }
`;

/** A stand-in for systemd's end of NOTIFY_SOCKET. */
async function listen(socket: string) {
  const child: ChildProcess = spawn('perl', ['-e', RECEIVER, socket], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  /** The next datagram that is about us; the program's own synchronisation is left out. */
  const next = async () => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) throw new Error('the receiver ended');
      if (!value.startsWith('BARRIER=')) return value as string;
    }
  };
  expect(await next()).toBe('listening');
  return {
    next,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await once(child, 'close');
    },
  };
}

const real = needsProgram('systemd-notify', 'perl');

describe('with the real systemd-notify', () => {
  real('systemd hears that the agent is ready, how it is, and that it stops', async () => {
    using folder = tempFolder('notify');
    const socket = join(folder.path, 'socket');
    await using systemd = await listen(socket);
    const problems: string[] = [];
    const notifier = createNotifier({
      env: { PATH: process.env.PATH, NOTIFY_SOCKET: socket },
      pid: 1,
      isAlive: () => true,
      onProblem: (text) => problems.push(text),
    });
    notifier.ready();
    expect(await systemd.next()).toBe('READY=1');
    notifier.status('busy with shop\nREADY=0 at abc1234');
    expect(await systemd.next()).toBe('STATUS=busy with shop READY=0 at abc1234');
    notifier.stopping();
    await notifier.close();
    expect(await systemd.next()).toBe('STOPPING=1');
    expect(problems).toEqual([]);
  });

  real('the watchdog is fed while the agent lives, and only then', async () => {
    using folder = tempFolder('notify');
    const socket = join(folder.path, 'socket');
    await using systemd = await listen(socket);
    // Alive for three questions, then no more; the sixth question says that we have seen enough.
    let asked = 0;
    let enough = () => {};
    const seenEnough = new Promise<void>((resolve) => {
      enough = resolve;
    });
    const notifier = createNotifier({
      env: { PATH: process.env.PATH, NOTIFY_SOCKET: socket, WATCHDOG_USEC: '100000' },
      pid: 1,
      isAlive: () => {
        asked += 1;
        if (asked === 6) enough();
        return asked <= 3;
      },
      onProblem: (text) => expect.fail(text),
    });
    await seenEnough;
    notifier.status('end');
    await notifier.close();
    const heard: string[] = [];
    do heard.push(await systemd.next());
    while (!heard.at(-1)?.includes('STATUS=end'));
    const fed = heard.filter((text) => text.includes('WATCHDOG=1')).length;
    // A busy machine may tell two feedings at once.
    expect(fed).toBeGreaterThanOrEqual(1);
    expect(fed).toBeLessThanOrEqual(3);
  });

  real('of several states in a row only the newest is told', async () => {
    using folder = tempFolder('notify');
    const socket = join(folder.path, 'socket');
    await using systemd = await listen(socket);
    const notifier = createNotifier({
      env: { PATH: process.env.PATH, NOTIFY_SOCKET: socket },
      pid: 1,
      isAlive: () => true,
      onProblem: (text) => expect.fail(text),
    });
    for (let i = 0; i < 50; i += 1) notifier.status(`look ${i}`);
    await notifier.close();
    expect(await systemd.next()).toBe('STATUS=look 0');
    expect(await systemd.next()).toBe('STATUS=look 49');
  });
});

test('without systemd nothing is started and nothing is said', async () => {
  const problems: string[] = [];
  const notifier = createNotifier({
    env: {},
    pid: 1,
    isAlive: () => true,
    onProblem: (t) => problems.push(t),
    program: ['/no/such'],
  });
  notifier.ready();
  notifier.status('x');
  await notifier.close();
  expect(problems).toEqual([]);
});

test('a systemd that cannot be told is one warning, and no crash', async () => {
  const problems: string[] = [];
  const env = { NOTIFY_SOCKET: '/no/such/socket', WATCHDOG_USEC: '2000' };
  const notifier = createNotifier({
    env,
    pid: 1,
    isAlive: () => true,
    onProblem: (t) => problems.push(t),
    program: ['/no/such'],
  });
  notifier.ready();
  await notifier.close();
  notifier.status('again');
  await notifier.close();
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain('expected the program "/no/such"');
});

test('the watchdog is fed at half its time, and only by the process that it is for', () => {
  expect(watchdogPeriodMs({ WATCHDOG_USEC: '180000000' }, 7)).toBe(90_000);
  expect(watchdogPeriodMs({ WATCHDOG_USEC: '180000000', WATCHDOG_PID: '7' }, 7)).toBe(90_000);
  expect(watchdogPeriodMs({ WATCHDOG_USEC: '180000000', WATCHDOG_PID: '8' }, 7)).toBeNull();
  expect(watchdogPeriodMs({}, 7)).toBeNull();
  expect(watchdogPeriodMs({ WATCHDOG_USEC: 'x' }, 7)).toBeNull();
});
