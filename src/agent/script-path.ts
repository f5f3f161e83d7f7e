import { realpathSync } from 'node:fs';
import { pathWith } from '../runner/environment.ts';

let known: string | undefined;

/** PATH of actions, with the folders of the pullyu and the Node that run now. */
export function scriptPath(): string {
  known ??= pathWith([launcher(), process.execPath]);
  return known;
}

/** An upgrade may have taken it away at this moment. */
function launcher(): string {
  const called = process.argv[1] ?? '';
  try {
    return realpathSync(called);
  } catch {
    return called;
  }
}
