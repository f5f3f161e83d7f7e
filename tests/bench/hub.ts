/** Probes on one core: the hub from memory against nginx and git-http-backend, which start processes for each. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { DELIMITER, FLUSH, formatPacket } from '../../src/git/pkt-line.ts';
import { descendants, freePort, startChild, untilListening } from '../support/child.ts';
import { git, gitEnvironment } from '../support/git.ts';
import { program } from '../support/host.ts';
import { findProgram } from '../support/needs.ts';
import { startNginx } from '../support/nginx.ts';
import { tempFolder } from '../support/temp.ts';
import { cpuOfProcess, measureCommand } from './measure.ts';

/** Microseconds of processor time for each probe, of the server and all that it starts. One value a round, in turns. */
export interface HubCosts {
  readonly few: readonly number[];
  readonly many: readonly number[];
  /** Of nginx with git-http-backend and ten refs; null where it cannot be had. */
  readonly backend: readonly number[] | null;
  readonly refs: number;
}

export interface HubOptions {
  readonly rounds: number;
  readonly refs: number;
  /** Of the hub in each round; git-http-backend gets a hundredth. */
  readonly probes: number;
  readonly say: (text: string) => void;
}

/** As an agent asks: one ref, on a connection that is kept. */
const PROBE = [
  formatPacket('command=ls-refs\n'),
  DELIMITER,
  formatPacket('ref-prefix refs/heads/main\n'),
  FLUSH,
].join('');
const AT_ONCE = 16;

export async function measureHub(o: HubOptions): Promise<HubCosts> {
  using temp = tempFolder('bench-hub');
  const repos = join(temp.path, 'repos');
  mkdirSync(repos);
  await createRepository(join(repos, 'few.git'), 10);
  await createRepository(join(repos, 'many.git'), o.refs);
  const port = await freePort();
  const listen = `127.0.0.1:${port}`;
  await using hub = startChild([program, 'hub', '--repos', repos, '--listen', listen, '--anonymous-read'], {
    env: { PATH: process.env.PATH ?? '', HOME: temp.path },
  });
  await untilListening(hub, port);
  const hubUrl = (path: string) => `http://${listen}/${path}/git-upload-pack`;
  const few: number[] = [];
  const many: number[] = [];
  const backend: number[] = [];
  const hasBackend =
    process.getuid?.() === 0 && findProgram('nginx') !== null && findProgram('fcgiwrap') !== null;
  const before = new Set(descendants(process.pid).map(({ pid }) => pid));
  await using nginx = hasBackend ? await startNginx({ folder: repos }) : null;
  const others = () =>
    descendants(process.pid)
      .filter(({ pid }) => !before.has(pid))
      .map(({ pid }) => pid);
  await probe(hubUrl('few.git'), o.probes / 2);
  await probe(hubUrl('many.git'), o.probes / 10);
  for (let round = 1; round <= o.rounds; round += 1) {
    few.push(await cost([hub.pid], hubUrl('few.git'), o.probes));
    many.push(await cost([hub.pid], hubUrl('many.git'), o.probes));
    if (nginx !== null) {
      const url = `${nginx.url('few.git', '127.0.0.1')}/git-upload-pack`;
      backend.push((await cost(others(), url, o.probes / 100)) + (await costOfBackend(repos)));
    }
    o.say(`probes of a server, round ${round} of ${o.rounds}`);
  }
  return { few, many, backend: nginx === null ? null : backend, refs: o.refs };
}

export const FULL_HUB = { rounds: 9, refs: 100_000, probes: 20_000 };
export const QUICK_HUB = { rounds: 3, refs: 10_000, probes: 4_000 };

async function createRepository(bare: string, refs: number): Promise<void> {
  await git(['init', '--quiet', '--bare', '--initial-branch=main', bare]);
  const tree = await git(['hash-object', '-t', 'tree', '-w', '--stdin'], { cwd: bare });
  const head = await git(['commit-tree', tree, '-m', 'one'], { cwd: bare });
  const names = ['main', ...Array.from({ length: refs - 1 }, (_, n) => `topic/${n}`)];
  // As git packs them; one by one a hundred thousand files would take minutes.
  const lines = names.sort().map((name) => `${head} refs/heads/${name}\n`);
  const first = '# pack-refs with: peeled fully-peeled sorted \n';
  writeFileSync(join(bare, 'packed-refs'), first + lines.join(''));
}

/** Microseconds a probe. */
async function cost(pids: readonly number[], url: string, probes: number): Promise<number> {
  const used = () => pids.reduce((sum, pid) => sum + cpuOfProcess(pid), 0);
  const before = used();
  await probe(url, probes);
  return ((used() - before) * 1000) / probes;
}

const BACKEND_TIMES = 50;

/** Of git-http-backend and what it starts, without its servers: fcgiwrap does not wait for it, so the kernel does not add it up there. */
async function costOfBackend(repos: string): Promise<number> {
  const program = join(await git(['--exec-path']), 'git-http-backend');
  const loop = `for ((n = 0; n < ${BACKEND_TIMES}; n++)); do "$0" <<<"$1" >/dev/null || exit 1; done`;
  const { cpuMs } = await measureCommand(['/bin/bash', '-c', loop, program, PROBE], {
    env: {
      ...gitEnvironment,
      GIT_PROJECT_ROOT: repos,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_PROTOCOL: 'version=2',
      REQUEST_METHOD: 'POST',
      PATH_INFO: '/few.git/git-upload-pack',
      CONTENT_TYPE: 'application/x-git-upload-pack-request',
      CONTENT_LENGTH: String(PROBE.length),
    },
  });
  return (cpuMs * 1000) / BACKEND_TIMES;
}

async function probe(url: string, times: number): Promise<void> {
  using agent = disposable(new Agent({ keepAlive: true, maxSockets: AT_ONCE }));
  let left = Math.ceil(times);
  const work = async () => {
    while (left > 0) {
      left -= 1;
      await ask(url, agent.agent);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

function disposable(agent: Agent) {
  return { agent, [Symbol.dispose]: () => agent.destroy() };
}

function ask(url: string, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = {
      'Content-Type': 'application/x-git-upload-pack-request',
      'Content-Length': PROBE.length,
      'Git-Protocol': 'version=2',
    };
    const asked = request(url, { method: 'POST', agent, headers }, (answer) => {
      let text = '';
      answer.setEncoding('latin1').on('data', (piece: string) => {
        text += piece;
      });
      answer.on('end', () =>
        text.includes(' refs/heads/main\n')
          ? resolve()
          : reject(new Error(`${answer.statusCode} ${text.slice(0, 200)}`)),
      );
    });
    asked.on('error', reject);
    asked.end(PROBE);
  });
}
