/** The repositories that are followed: a small one, and three that are large in one way each. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { git } from '../support/git.ts';

export type RemoteName = 'small' | 'files' | 'refs' | 'actions';
export const REMOTE_NAMES: readonly RemoteName[] = ['small', 'files', 'refs', 'actions'];

export interface Sizes {
  readonly files: number;
  readonly refs: number;
  readonly actions: number;
}

export interface BenchRemote {
  readonly name: RemoteName;
  readonly path: string;
  readonly bare: string;
  /** Makes a commit and pushes it. `app`: the action of every repository is due; `readme`: nothing is. `config`: pullyu.yaml too. */
  push(what: 'app' | 'readme' | 'config'): Promise<{ commit: string; pushedAt: number }>;
}

/** @param folder The remotes are below `served`. `marks`: the file to which each script appends when it starts, and for whom. */
export async function createRemotes(folder: string, marks: string, sizes: Sizes): Promise<BenchRemote[]> {
  mkdirSync(join(folder, 'served'), { recursive: true });
  mkdirSync(join(folder, 'pushers'), { recursive: true });
  return Promise.all(REMOTE_NAMES.map((name) => createRemote(name, folder, marks, sizes)));
}

async function createRemote(
  name: RemoteName,
  folder: string,
  marks: string,
  sizes: Sizes,
): Promise<BenchRemote> {
  const path = `${name}.git`;
  const bare = join(folder, 'served', path);
  const pusher = join(folder, 'pushers', path);
  const actions = name === 'actions' ? sizes.actions : 1;
  await git(['init', '--quiet', '--bare', '--initial-branch=main', bare]);
  await git(['fast-import', '--quiet'], {
    cwd: bare,
    input: firstCommit(marks, { actions, files: name === 'files' ? sizes.files : 0 }),
    timeoutMs: 120_000,
  });
  if (name === 'refs') {
    const head = await git(['rev-parse', 'main'], { cwd: bare });
    const refs = Array.from({ length: sizes.refs }, (_, n) => `create refs/heads/topic/${n} ${head}\n`);
    await git(['update-ref', '--stdin'], { cwd: bare, input: refs.join(''), timeoutMs: 120_000 });
  }
  await git(['pack-refs', '--all'], { cwd: bare });
  await git(['clone', '--quiet', '--bare', '--single-branch', bare, pusher]);
  let serial = 0;
  return {
    name,
    path,
    bare,
    async push(what) {
      serial += 1;
      const files: Record<string, string> = {
        [what === 'app' ? 'app/version' : 'README']: `${what} ${serial}\n`,
        ...(what === 'config' ? { 'pullyu.yaml': configuration(actions, serial) } : {}),
      };
      await git(['fast-import', '--quiet'], {
        cwd: pusher,
        input: commit(`change ${serial}`, 'from refs/heads/main^0\n', files),
      });
      await git(['push', '--quiet', bare, 'main'], { cwd: pusher });
      const pushedAt = performance.timeOrigin + performance.now();
      return { commit: await git(['rev-parse', 'main'], { cwd: pusher }), pushedAt };
    },
  };
}

function firstCommit(marks: string, sizes: { actions: number; files: number }): string {
  const files: Record<string, string> = { README: 'for figures\n', 'app/version': '0\n' };
  files['pullyu.yaml'] = configuration(sizes.actions, 0);
  files['local.yml'] = PLAYBOOK;
  for (let n = 0; n < sizes.files; n += 1) files[`data/${Math.floor(n / 100)}/${n}.txt`] = `file ${n}\n`;
  const script = `#!/bin/bash\nprintf '%s %s\\n' "$EPOCHREALTIME" "\${PULLYU_HOST:-\${MARK_FOR:-nobody}}" >>'${marks}'\n`;
  const scripts: Record<string, string> = { 'app/deploy.sh': script };
  for (let n = 1; n < sizes.actions; n += 1) scripts[`parts/${n}/deploy.sh`] = script;
  return commit('the beginning', '', files, scripts);
}

function configuration(actions: number, serial: number): string {
  const more = Array.from(
    { length: actions - 1 },
    (_, n) => `  part-${n + 1}:\n    run: parts/${n + 1}/deploy.sh\n`,
  );
  return `# ${serial}\nactions:\n  app:\n    run: app/deploy.sh\n    paths: [app/**]\n${more.join('')}`;
}

const PLAYBOOK = `- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.command: app/deploy.sh
      changed_when: true
`;

function commit(
  message: string,
  from: string,
  files: Readonly<Record<string, string>>,
  scripts: Readonly<Record<string, string>> = {},
): string {
  const head = `commit refs/heads/main\ncommitter Ada Example <ada@example.com> ${Math.floor(Date.now() / 1000)} +0000\n`;
  const entry =
    (mode: string) =>
    ([path, content]: [string, string]) =>
      `M ${mode} inline ${path}\ndata ${Buffer.byteLength(content)}\n${content}\n`;
  return [
    head,
    `data ${message.length}\n${message}\n`,
    from,
    ...Object.entries(files).map(entry('100644')),
    ...Object.entries(scripts).map(entry('100755')),
  ].join('');
}
