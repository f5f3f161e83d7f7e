/** The demo as `npm start` runs it, in a temporary folder of the test's own. */
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
  /** Where the demo makes its own. */
  readonly folder: string;
  untilSays(text: string): Promise<void>;
  /** Processes and files that are there because of it, whoever started them. */
  left(): string[];
  /** Another one in the same temporary folder. */
  startAnother(): Child;
}

export function startDemo(options: { args?: string[]; asNobody?: boolean } = {}): Demo {
  const temp = tempFolder('test');
  const start = (): Child => {
    const argv = [process.execPath, join(checkout, 'scripts/start.mjs'), ...(options.args ?? [])];
    const env = { TMPDIR: temp.path, HOME: temp.path, NO_COLOR: '1' };
    if (!options.asNobody) return startChild(argv as [string], { env });
    chmodSync(temp.path, 0o777);
    const user = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--'];
    return startChild(['setpriv', ...user, ...argv], { env });
  };
  const child = start();
  return {
    child,
    folder: temp.path,
    untilSays: (text) =>
      until(() => child.output().includes(text), {
        what: JSON.stringify(text),
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
