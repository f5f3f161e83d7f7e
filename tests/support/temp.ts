import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TempFolder extends Disposable {
  readonly path: string;
}

/** A folder of the test's own; `using folder = tempFolder()` removes it at the end of the block. */
export function tempFolder(name = 'test'): TempFolder {
  const path = realpathSync(mkdtempSync(join(tmpdir(), `pullyu-${name}-`)));
  return {
    path,
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 }),
  };
}
