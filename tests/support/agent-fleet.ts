/** Many real agents on this machine, each on a root of its own, with one repo that all of them follow and one status repository. */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readJournal } from '../../src/journal/read.ts';
import { type Child, startChild } from './child.ts';
import { git } from './git.ts';
import { createHost, program } from './host.ts';
import { leftFiles, type OwnedProcess, processesOf } from './leaks.ts';
import { type Nginx, startNginx } from './nginx.ts';
import { createRemote, type Remote } from './repo.ts';
import { tempFolder } from './temp.ts';
import { until } from './until.ts';

export interface FleetOptions {
  readonly hosts: number;
  readonly interval: string;
  readonly heartbeat: string;
  /** So many agents begin at the same time. */
  readonly batch: number;
}

/** One agent, and what two witnesses say about its runs: oldest first, seven digits of each commit. */
export interface FleetAgent {
  readonly name: string;
  readonly child: Child;
  /** What the script wrote down itself. */
  witnessed(): string[];
  /** The journal: the outcome stands behind what did not end well. */
  journal(): string[];
  descriptors(): number;
  /** Files in the state folder that no running program needs. */
  leftFiles(): string[];
}

export interface AgentFleet extends AsyncDisposable {
  readonly it: Remote;
  readonly status: Remote;
  /** In front of `status`. */
  readonly web: Nginx;
  readonly agents: readonly FleetAgent[];
  /** Pushes another content of the script; @returns the commit. */
  push(): Promise<string>;
  /** Lines of the branch `hosts/HOST`, oldest first. */
  told(host: string): Promise<string[]>;
  /** The newest line of each, by host. */
  newest(): Promise<Map<string, string>>;
  /** Ends all agents. @returns processes that are left all the same. */
  stop(): Promise<OwnedProcess[]>;
}

export async function startAgentFleet(o: FleetOptions): Promise<AgentFleet> {
  const temp = tempFolder('fleet');
  const ends: (() => unknown)[] = [() => temp[Symbol.dispose]()];
  const end = async () => {
    for (const one of ends.splice(0).reverse()) await one();
  };
  try {
    const it = await createRemote();
    ends.push(() => it[Symbol.dispose]());
    const status = await createRemote('status');
    ends.push(() => status[Symbol.dispose]());
    const witness = join(temp.path, 'witness');
    mkdirSync(witness);
    let serial = 0;
    const push = () => {
      serial += 1;
      const script = `#!/bin/sh\n# ${serial}\nprintf '%.7s\\n' "$PULLYU_COMMIT" >>"${witness}/$PULLYU_HOST"\n`;
      const config = 'actions:\n  shop: {run: shop.sh, paths: [shop.sh]}\n';
      return it.publish({ files: { 'pullyu.yaml': config }, scripts: { 'shop.sh': script } });
    };
    await push();
    // Each agent keeps one connection for probes, and some for the status.
    const connections = 4 * o.hosts + 256;
    const repoWeb = await startNginx({ folder: it.folder, connections });
    ends.push(() => repoWeb.close());
    const web = await startNginx({ folder: status.folder, connections });
    ends.push(() => web.close());

    const agents: FleetAgent[] = [];
    const stop = async () => {
      await inBatches(agents, 20, ({ child }) => (child.isRunning() ? child.close() : Promise.resolve()));
      return processesOf(temp.path).filter(({ kept }) => !kept);
    };
    ends.push(stop);
    const names = Array.from({ length: o.hosts }, (_, n) => `host-${n + 1}`);
    await inBatches(names, o.batch, async (name) => {
      const agent = startAgent(name, witness, join(temp.path, name), {
        interval: o.interval,
        repo: repoWeb.url(it.path, '127.0.0.1'),
        status: { remote: web.url(status.path, '127.0.0.1'), heartbeat: o.heartbeat },
      });
      agents.push(agent);
      await until(() => agent.witnessed().length > 0 || !agent.child.isRunning(), {
        what: `${name} to run the action for the first time`,
        found: agent.child.output,
        timeoutMs: 120_000,
        everyMs: 100,
      });
      if (!agent.child.isRunning()) throw new Error(`${name} ended at once: ${agent.child.output()}`);
    });
    const told = async (host: string) =>
      (await git(['--git-dir', status.bare, 'log', '--reverse', '--format=%s', `refs/heads/hosts/${host}`]))
        .split('\n')
        .filter((line) => line !== '');
    const newest = async () => {
      const format = '--format=%(refname:lstrip=3) %(subject)';
      const listed = await git(['--git-dir', status.bare, 'for-each-ref', format, 'refs/heads/hosts']);
      return new Map(listed.split('\n').map((line) => splitOnce(line)));
    };
    return { it, status, web, agents, push, told, newest, stop, [Symbol.asyncDispose]: end };
  } catch (error) {
    await end();
    throw error;
  }
}

function startAgent(
  name: string,
  witness: string,
  root: string,
  o: { interval: string; repo: string; status: { remote: string; heartbeat: string } },
): FleetAgent {
  mkdirSync(root);
  const { env, state } = createHost({
    name,
    root,
    interval: o.interval,
    repos: { it: o.repo },
    more: { status: o.status },
  });
  const child = startChild([program, '--root', root, 'agent'], { env, cwd: root });
  return {
    name,
    child,
    witnessed: () => linesOf(join(witness, name)),
    journal: () =>
      readJournal(join(state, 'journal.log'))
        .runs()
        .map(({ intent, result }) => {
          const outcome = result?.outcome ?? 'open';
          return `${intent.commit.slice(0, 7)}${outcome === 'ok' ? '' : ` ${outcome}`}`;
        })
        .reverse(),
    descriptors: () => readdirSync(`/proc/${child.pid}/fd`).length,
    leftFiles: () => leftFiles(state, 60),
  };
}

/** So many at a time; the next begins when one is done. */
export async function inBatches<T>(
  all: readonly T[],
  size: number,
  work: (one: T) => Promise<unknown>,
): Promise<void> {
  const waiting = all.values();
  const worker = async () => {
    for (const one of waiting) await work(one);
  };
  await Promise.all(Array.from({ length: size }, worker));
}

function splitOnce(line: string): [before: string, after: string] {
  const at = line.indexOf(' ');
  return [line.slice(0, at), line.slice(at + 1)];
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
  } catch {
    return [];
  }
}
