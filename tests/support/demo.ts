/** The demo as `npm start` runs it, in a temporary folder of the test's own. */
import { spawnSync } from 'node:child_process';
import { accessSync, chmodSync, constants, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Child, startChild } from './child.ts';
import { processesOf } from './leaks.ts';
import { findProgram } from './needs.ts';
import { tempFolder } from './temp.ts';
import { until } from './until.ts';

const checkout = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const NOBODY = '65534';

export interface Demo extends AsyncDisposable {
  readonly child: Child;
  /** Whether the programs that were to be hidden are. */
  readonly isHidden: boolean;
  /** Where the demo makes its own. */
  readonly folder: string;
  untilSays(text: string): Promise<void>;
  /** Processes and files that are there because of it, whoever started them. */
  left(): string[];
  /** Another one in the same temporary folder. */
  startAnother(): Child;
}

export function startDemo(
  options: { args?: string[]; asNobody?: boolean; hidden?: readonly string[] } = {},
): Demo {
  const hiding = hide((options.hidden ?? []).flatMap((name) => findProgram(name) ?? []));
  const temp = tempFolder('test');
  const start = (): Child => {
    const argv = [process.execPath, join(checkout, 'scripts/start.mjs'), ...(options.args ?? [])];
    const env = { TMPDIR: temp.path, HOME: temp.path, NO_COLOR: '1' };
    if (!options.asNobody) return startChild([...hiding, ...argv] as [string], { env });
    chmodSync(temp.path, 0o777);
    const user = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--'];
    return startChild([...hiding, ...user, ...argv] as [string], { env });
  };
  const child = start();
  return {
    child,
    isHidden: hiding.length > 0,
    folder: temp.path,
    untilSays: (text) =>
      until(() => child.output().includes(text), {
        what: JSON.stringify(text),
        timeoutMs: 90_000,
        found: () => child.output(),
      }).then(() => {}),
    left: () => [...processesOf(temp.path).map(({ command }) => command), ...readdirSync(temp.path)],
    startAnother: start,
    async [Symbol.asyncDispose]() {
      await child.close();
      for (const { identity } of processesOf(temp.path)) process.kill(identity.pid, 'SIGKILL');
      temp[Symbol.dispose]();
    },
  };
}

/** What a command is to be called by so that it does not find these programs; nothing where that cannot be had. */
function hide(files: readonly string[]): string[] {
  if (files.length === 0) return [];
  const mounts = files.map((file) => `mount --bind /dev/null ${file}`).join(' && ');
  const call = ['unshare', '--mount', '--', 'sh', '-c', `${mounts} && exec "$@"`, 'sh'];
  return spawnSync(call[0]!, [...call.slice(1), 'true']).status === 0 ? call : [];
}

/** Can a user without rights read the checkout, so that the demo can be run as one? */
export function othersMayRun(): boolean {
  if (process.getuid?.() !== 0 || findProgram('setpriv') === null) return false;
  const folders: string[] = [];
  for (let folder = checkout; folder !== dirname(folder); folder = dirname(folder)) folders.push(folder);
  try {
    accessSync(join(checkout, 'dist/main.cjs'), constants.R_OK);
    return folders.every((folder) => (statSync(folder).mode & 0o005) === 0o005);
  } catch {
    return false;
  }
}
