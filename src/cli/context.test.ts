import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createContext } from './context.ts';

test('a shell that stands in a folder that was removed is no defect of ours', () => {
  const before = process.cwd();
  const gone = mkdtempSync(join(tmpdir(), 'pullyu-gone-'));
  process.chdir(gone);
  rmdirSync(gone);
  try {
    expect(createContext(undefined, AbortSignal.abort()).cwd).toMatch(/^\//);
  } finally {
    process.chdir(before);
  }
});
