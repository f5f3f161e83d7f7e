/** `pull: self`: the repository's own work script pulls; the agent only calls it. */
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { git } from '../support/git.ts';
import { createHost, type TestHost } from '../support/host.ts';
import { needsProgram } from '../support/needs.ts';
import { startNginx } from '../support/nginx.ts';
import { createRemote } from '../support/repo.ts';
import { startSshd } from '../support/sshd.ts';
import { until } from '../support/until.ts';

/** As the practice writes it: fetch and decide with the old code, merge, act with the new one. */
const WORK = `#!/bin/sh
set -eu
git pull --quiet
echo "$(git rev-parse HEAD) $(cat text)" >> "$PULLYU_STATE_DIR/said"
`;
const repository = (text: string) => ({
  files: { text: `${text}\n` },
  scripts: { 'bin/work/common/work.sh': WORK },
});

const self = (host: TestHost) => join(host.state, 'repos/it/self');
const said = (host: TestHost, action = 'work-common') =>
  (host.read(`var/lib/pullyu/repos/it/state/${action}/said`) ?? '').split('\n').filter(Boolean);
const head = (host: TestHost) => git(['-C', self(host), 'rev-parse', 'HEAD']);

test('the first look clones an ordinary repository; from then on only its script moves it', async () => {
  using remote = await createRemote();
  const one = await remote.publish(repository('one'));
  await using host = createHost({ repos: { it: { remotes: [remote.bare], track: 'main', pull: 'self' } } });
  expect((await host.look()).code).toBe(0);
  expect(said(host)).toEqual([`${one} one`]);
  expect(readlinkSync(join(host.state, 'repos/it/current'))).toBe('self');
  expect(await git(['-C', self(host), 'status', '--porcelain', '--branch'])).toBe('## main...origin/main');
  expect(existsSync(join(host.state, 'repos/it/clone.git'))).toBe(false);

  const two = await remote.publish({ files: { text: 'two\n' } });
  expect((await host.look()).code).toBe(0);
  expect(await head(host)).toBe(two);
  expect(said(host)).toEqual([`${one} one`, `${two} two`]);
  // The look after it knows the new HEAD as the target, and all of it as applied.
  expect((await host.look()).code).toBe(0);
  const status = await host.status();
  expect(status.repos[0]).toMatchObject({ seen: two, applied: two, trouble: null });
  expect(status.host.state).toBe('working');
  expect((await host.history()).every(({ outcome }) => outcome === 'ok')).toBe(true);
  await host.expectNoLeaks();
});

test('edits, local commits and another branch in it stay as they are; .temp is the one of the repo', async () => {
  using remote = await createRemote();
  await remote.publish({ ...repository('one'), scripts: { 'bin/work/common/work.sh': '#!/bin/sh\ntrue\n' } });
  await using host = createHost({ repos: { it: { remotes: [remote.bare], track: 'main', pull: 'self' } } });
  await host.look();
  writeFileSync(join(self(host), 'text'), 'edited');
  writeFileSync(join(self(host), '.temp/kept'), 'x');
  const id = ['-c', 'user.name=a', '-c', 'user.email=a@b'];
  await git(['-C', self(host), 'checkout', '--quiet', '-b', 'mine']);
  await git(['-C', self(host), ...id, 'commit', '--quiet', '-am', 'mine']);
  writeFileSync(join(self(host), 'text'), 'edited again');
  const mine = await head(host);
  await host.look();
  await remote.publish({ files: { text: 'newer\n' } });
  expect((await host.look()).code).toBe(0);
  expect(await head(host)).toBe(mine);
  expect(readFileSync(join(self(host), 'text'), 'utf8')).toBe('edited again');
  expect((await host.status()).repos[0]).toMatchObject({ applied: mine });
  expect(readFileSync(join(host.state, 'repos/it/temp/kept'), 'utf8')).toBe('x');
});

test('a HEAD that moved is work also when nothing else happened, and an idle look costs no git', async () => {
  using remote = await createRemote();
  const yaml = 'actions:\n  say: {run: say.sh, paths: [say.sh, text]}\n';
  const say = '#!/bin/sh\ncat text >> "$PULLYU_STATE_DIR/said"\n';
  await remote.publish({ files: { 'pullyu.yaml': yaml, text: 'one\n' }, scripts: { 'say.sh': say } });
  await using host = createHost({ repos: { it: { remotes: [remote.bare], track: 'main', pull: 'self' } } });
  await host.look();
  expect(said(host, 'say')).toEqual(['one']);
  expect((await host.look()).stdout).toContain('nothing to do');
  // No git on the PATH: an idle look starts none.
  expect((await host.look({ env: { PATH: bareNode(host) } })).stdout).toContain('nothing to do');
  await remote.publish({ files: { text: 'two\n' } });
  expect((await host.look()).stdout).toContain('nothing to do');
  await git(['-C', self(host), 'pull', '--quiet']);
  expect((await host.look()).stdout).toContain('say: ');
  expect(said(host, 'say')).toEqual(['one', 'two']);
  await git(['-C', self(host), 'reset', '--quiet', '--hard', 'HEAD~1']);
  await host.look();
  expect(said(host, 'say')).toEqual(['one', 'two', 'one']);
  // Packed references move HEAD without its own file.
  await git(['-C', self(host), 'pull', '--quiet']);
  await git(['-C', self(host), 'pack-refs', '--all']);
  await host.look();
  expect(said(host, 'say')).toEqual(['one', 'two', 'one', 'two']);
});

/** A PATH that has node and nothing else. */
function bareNode(host: TestHost): string {
  const folder = join(host.root, 'only-node');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'node'), `#!/bin/sh\nexec ${process.execPath} "$@"\n`, { mode: 0o755 });
  return folder;
}

test('the agent of a daemon notices what the script pulled', async () => {
  using remote = await createRemote();
  await remote.publish(repository('one'));
  await using host = createHost({
    interval: '100ms',
    repos: { it: { remotes: [remote.bare], track: 'main', pull: 'self' } },
  });
  await host.start();
  await until(() => said(host).length > 0, { what: 'the first word' });
  const two = await remote.publish({ files: { text: 'two\n' } });
  await until(() => said(host).at(-1) === `${two} two`, { what: 'the second word' });
  await host.untilApplied(two);
});

test('a broken pullyu.yaml at HEAD leaves the script in force that pulls the correction', async () => {
  using remote = await createRemote();
  const yaml = (more = '') => `actions:\n  pull: {run: pull.sh, on: [look]}\n${more}`;
  const pull = '#!/bin/sh\nset -eu\ngit pull --quiet\ngit rev-parse HEAD >> "$PULLYU_STATE_DIR/said"\n';
  const one = await remote.publish({ files: { 'pullyu.yaml': yaml() }, scripts: { 'pull.sh': pull } });
  await using host = createHost({ repos: { it: { remotes: [remote.bare], track: 'main', pull: 'self' } } });
  await host.look();
  expect(said(host, 'pull')).toEqual([one]);
  const broken = await remote.publish({ files: { 'pullyu.yaml': yaml('  other: {rnu: x}\n') } });
  await host.look();
  expect(await head(host)).toBe(broken);
  await host.look();
  const status = await host.status();
  expect(status.repos[0]).toMatchObject({ seen: broken, trouble: { code: 'config' } });
  expect(status.repos[0]!.trouble!.message).toContain('rnu');
  const fixed = await remote.publish({ files: { 'pullyu.yaml': yaml() } });
  await host.look();
  expect(await head(host)).toBe(fixed);
  await host.look();
  expect((await host.status()).repos[0]).toMatchObject({ applied: fixed, trouble: null });
});

needsProgram(
  'nginx',
  'fcgiwrap',
  'openssl',
)(
  'over TLS its pull trusts the authority of host.yaml and has its credentials, read at each use and copied nowhere',
  async () => {
    const password = 's3cr%t "x';
    using remote = await createRemote();
    await remote.publish(repository('one'));
    await using server = await startNginx({
      folder: remote.folder,
      tls: 'good',
      basicAuth: { user: 'me', password },
    });
    await using host = createHost();
    const file = join(host.root, "it's credentials");
    const url = server.url(remote.path);
    writeFileSync(file, `username=me\npassword=${password}\n`, { mode: 0o600 });
    host.configure({
      repos: {
        it: { remotes: [url], track: 'main', pull: 'self', credentials: file, tls: { ca: server.ca } },
      },
    });
    const looked = await host.look();
    expect(looked.code, looked.stdout + looked.stderr).toBe(0);
    const formats = [
      `password=${password}\r\nusername=me\r\n`,
      `# a comment\n${url.replace('://', `://me:${encodeURIComponent(password)}@`)}\n`,
    ];
    for (const [n, format] of formats.entries()) {
      writeFileSync(file, format);
      const commit = await remote.publish({ files: { text: `round ${n}\n` } });
      const again = await host.look();
      expect(again.code, again.stdout).toBe(0);
      expect(said(host).at(-1)).toBe(`${commit} round ${n}`);
    }
    await server.setCredentials({ user: 'git', password: 't0ken-of-one-line' });
    writeFileSync(file, '\n# a token\nt0ken-of-one-line\n');
    const last = await remote.publish({ files: { text: 'by token\n' } });
    expect((await host.look()).code).toBe(0);
    expect(said(host).at(-1)).toBe(`${last} by token`);

    const found = await git(['-C', self(host), 'config', '--list', '--show-origin']);
    expect(found).toContain('credentials');
    expect(found).not.toMatch(/s3cr|t0ken/);
    expect(statSync(join(self(host), '.git/pullyu-access')).mode & 0o777).toBe(0o600);
    // A credential that is wrong now is the script's failure, which the history shows; git may not erase it.
    writeFileSync(file, `https://me:wrong@localhost:${server.port}\n`);
    expect((await host.look()).code).toBe(1);
    expect(readFileSync(file, 'utf8')).toBe(`https://me:wrong@localhost:${server.port}\n`);
  },
);

needsProgram('sshd', 'ssh')('over ssh its pull has the key and the known hosts of host.yaml', async () => {
  using remote = await createRemote();
  await remote.publish(repository('one'));
  await using sshd = await startSshd({ bare: remote.bare });
  await using host = createHost({
    repos: {
      it: {
        remotes: [sshd.url],
        track: 'main',
        pull: 'self',
        ssh: { key: sshd.key, knownHosts: sshd.knownHosts },
      },
    },
  });
  const looked = await host.look();
  expect(looked.code, looked.stdout).toBe(0);
  const two = await remote.publish({ files: { text: 'two\n' } });
  expect((await host.look()).code).toBe(0);
  expect(said(host).at(-1)).toBe(`${two} two`);
});

test('no contact at first is a trouble; a first clone that was cut off, and one that was moved away, are made anew', async () => {
  using remote = await createRemote();
  await using host = createHost({
    repos: { it: { remotes: [join(remote.folder, 'nowhere.git')], track: 'main', pull: 'self' } },
  });
  expect((await host.look()).code).toBe(3);
  expect((await host.status()).repos[0]!.trouble).not.toBeNull();
  const one = await remote.publish(repository('one'));
  host.configure({ repos: { it: { remotes: [remote.bare], track: 'main', pull: 'self' } } });
  mkdirSync(join(host.state, 'repos/it/self.new/.git'), { recursive: true });
  writeFileSync(join(host.state, 'repos/it/self.new/left'), 'half');
  expect((await host.look()).code).toBe(0);
  expect(existsSync(join(self(host), 'left'))).toBe(false);
  expect(existsSync(join(host.state, 'repos/it/self.new'))).toBe(false);
  rmSync(self(host), { recursive: true });
  expect((await host.look()).code).toBe(0);
  expect(said(host)).toEqual([`${one} one`, `${one} one`]);
  // A repository that is damaged is a person's: named, with where it is, and not touched.
  writeFileSync(join(self(host), '.git/HEAD'), 'ref: refs/heads/gone\n');
  utimesSync(join(self(host), '.git/HEAD'), 1, 1);
  await host.look();
  const trouble = (await host.status()).repos[0]!.trouble!;
  expect(trouble).toMatchObject({ code: 'clone-broken' });
  expect(trouble.hint).toContain('clones it anew');
  expect(trouble.message).toContain(self(host));
});

test('only a branch can be pulled: anything else is said', async () => {
  using remote = await createRemote();
  await remote.publish(repository('one'));
  await using host = createHost({
    repos: { it: { remotes: [remote.bare], track: 'refs/tags/v1', pull: 'self' } },
  });
  expect((await host.look()).code).toBe(2);
  expect((await host.status()).repos[0]!.trouble).toMatchObject({
    code: 'config',
    message: 'expected a branch to track for the repo it with `pull: self`, found none',
  });
});
