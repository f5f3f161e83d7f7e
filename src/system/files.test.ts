import { expect, test } from 'vitest';
import { namedWriteError } from './files.ts';

test.each([
  ['ENOSPC', 'disk-full'],
  ['EDQUOT', 'disk-full'],
  ['EROFS', 'read-only'],
  ['EACCES', 'no-permission'],
  ['EIO', 'failed'],
])('%s is named, with a hint, and no defect', (errno, code) => {
  const named = namedWriteError(Object.assign(new Error('x'), { code: errno }), '/var/lib/pullyu');
  expect(named).toMatchObject({ code });
  expect(named!.message).toContain('/var/lib/pullyu');
  expect(named!.hint).not.toBeNull();
});

test('what is no error of a disk has no name here', () => {
  expect(namedWriteError(new TypeError('x'), '/')).toBeNull();
});
