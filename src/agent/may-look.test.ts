import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { decidePaths } from '../system/paths.ts';
import { checkMayLook } from './may-look.ts';

const uid = process.getuid?.() ?? 0;

test('nothing is written where no host was ever bootstrapped, nor into the host of another user', () => {
  const root = mkdtempSync(join(tmpdir(), 'pullyu-may-'));
  const paths = decidePaths(root, {}, uid);
  try {
    expect(() => checkMayLook(paths, uid)).toThrow(/expected .*host\.yaml, found none/);
    mkdirSync(dirname(paths.hostFile), { recursive: true });
    writeFileSync(paths.hostFile, '');
    expect(() => checkMayLook(paths, uid)).not.toThrow();
    expect(() => checkMayLook(paths, uid + 1)).toThrow(`expected to run as the user with the id ${uid}`);
    mkdirSync(paths.state, { recursive: true });
    expect(() => checkMayLook(paths, uid)).not.toThrow();
    if (uid === 0) {
      chownSync(paths.state, 65_534, 65_534);
      expect(() => checkMayLook(paths, uid)).toThrow(/65534/);
    }
  } finally {
    rmSync(root, { recursive: true });
  }
});
