import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { needsRoot } from '../../tests/support/needs.ts';
import { createPrivateCron } from '../../tests/support/private-cron.ts';
import { decidePaths } from '../system/paths.ts';
import { addCrontabLine, renderCrontabLine } from './cron.ts';
import { writeCrontab } from './crontab.ts';
import { planInstall } from './install.ts';
import { decidePlaces } from './places.ts';
import { applySteps } from './steps.ts';

needsRoot(
  'cron',
  'crontab',
  'unshare',
)('a real cron daemon calls the heartbeat of cron.d and of a crontab within a minute', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pullyu-cron-'));
  const env = { PATH: process.env.PATH ?? '' };
  mkdirSync(join(folder, 'private'));
  const cron = createPrivateCron(join(folder, 'private'));
  const calls = join(folder, 'calls');
  mkdirSync(calls);

  /** A host of its own root, whose pullyu leaves a file when it is called. */
  const installHost = async (name: string) => {
    const root = join(folder, `it's ${name}`);
    const paths = decidePaths(root, {}, 0);
    const places = decidePlaces(paths, { uid: 0, env: {}, cronFolder: true });
    const bin = join(folder, `${name}.mjs`);
    writeFileSync(
      bin,
      `import { writeFileSync } from 'node:fs';
         writeFileSync(${JSON.stringify(join(calls, name))}, JSON.stringify({ argv: process.argv.slice(2), env: process.env }));`,
    );
    mkdirSync(paths.state, { recursive: true });
    const machine = {
      uid: 0,
      systemd: 'absent',
      userManager: false,
      lingers: false,
      cronFolder: true,
      crontab: true,
      cronDaemon: true,
    } as const;
    const launcher = { node: process.execPath, bin };
    const plan = planInstall('cron', {
      paths,
      places,
      machine,
      launcher,
      hostId: name,
      intervalMs: 60_000,
      env: {},
      offsetSeconds: 0,
    });
    await applySteps(plan.steps, { env });
    return places;
  };

  const byFolder = await installHost('byFolder');
  copyFileSync(byFolder.cronFile!, join(cron.cronFolder, byFolder.name));
  const byTable = await installHost('byTable');
  const line = renderCrontabLine(byTable.script, byTable.name);
  await writeCrontab({ env, crontab: [...cron.inside, 'crontab'] }, addCrontabLine('', line, byTable.name));

  const daemon = cron.start();
  try {
    const called = await waitForFiles(calls, ['byFolder', 'byTable'], 130_000);
    expect(called.sort()).toEqual(['byFolder', 'byTable']);
    const call = JSON.parse(readFileSync(join(calls, 'byFolder'), 'utf8')) as {
      argv: string[];
      env: Record<string, string>;
    };
    expect(call.argv).toEqual(['--root', join(folder, `it's byFolder`), 'look', '--heartbeat']);
    expect(call.env.LANG).toBe('C.UTF-8');
  } finally {
    daemon.kill('SIGKILL');
    await new Promise((resolve) => daemon.once('exit', resolve));
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Resolves with the names that appeared: all of them, or those that did until the deadline. */
function waitForFiles(folder: string, names: readonly string[], timeoutMs: number): Promise<string[]> {
  const seen = new Set<string>();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      watcher.close();
      resolve([...seen]);
    };
    const timer = setTimeout(done, timeoutMs);
    const watcher = watch(folder, (_event, name) => {
      if (name && names.includes(name)) seen.add(name);
      if (seen.size === names.length) setTimeout(done, 200);
    });
  });
}
