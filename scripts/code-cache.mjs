// Writes dist/main.cache and dist/look.cache: what V8 compiled of main.cjs and look.cjs while they looked and found nothing to do. Called by the build.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Script } from 'node:vm';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

if (process.argv[2] === '--of-look-at') await lookAndWrite(process.argv[3], process.argv[4]);
else
  await withIdleHost(async (folder) => {
    for (const name of ['main', 'look'])
      await run(process.execPath, fileURLToPath(import.meta.url), '--of-look-at', folder, name);
  });

/** A host that follows an empty commit on a server of our own, and has looked already. */
async function withIdleHost(work) {
  const folder = mkdtempSync(join(tmpdir(), 'pullyu-build-'));
  const { startGitServer } = await import('../dist/git-server.js');
  const server = await startGitServer({ folder });
  try {
    const repository = join(folder, 'it.git');
    const git = (...args) =>
      run('git', `--git-dir=${repository}`, '-c', 'user.name=x', '-c', 'user.email=x', ...args);
    await git('init', '--quiet', '--bare', '--initial-branch=main');
    const tree = await git('hash-object', '-t', 'tree', '-w', '/dev/null');
    await git('update-ref', 'refs/heads/main', await git('commit-tree', '-m', 'nothing', tree));
    const configuration = join(folder, 'host/etc/pullyu');
    mkdirSync(configuration, { recursive: true });
    const repos = { it: { remotes: [server.url('it.git')], track: 'main' } };
    writeFileSync(join(configuration, 'host.yaml'), JSON.stringify({ name: 'build', repos }));
    const look = () =>
      run(process.execPath, join(root, 'bin/pullyu'), '--root', join(folder, 'host'), 'look');
    await look();
    await look();
    await work(join(folder, 'host'));
  } finally {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Loads the program as bin/pullyu does: V8 refuses a cache of other text or other flags. */
async function lookAndWrite(folder, name) {
  const bundle = join(root, 'dist', `${name}.cjs`);
  const cache = join(root, 'dist', `${name}.cache`);
  const source = readFileSync(bundle, 'latin1');
  const script = new Script(source, { filename: bundle });
  const program = { exports: {} };
  script.runInThisContext()(program.exports, createRequire(bundle), program, bundle);
  const exitCode = await program.exports.main(['--root', folder, 'look']);
  if (exitCode !== 0) throw new Error(`expected a look with exit code 0, found ${exitCode}`);
  writeFileSync(`${cache}.tmp`, Buffer.concat([script.createCachedData(), Buffer.from(source.slice(2, 18))]));
  renameSync(`${cache}.tmp`, cache);
}

async function run(file, ...args) {
  const env = { PATH: process.env.PATH, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' };
  const { stdout } = await promisify(execFile)(file, args, { env, timeout: 30_000 });
  return stdout.trim();
}
