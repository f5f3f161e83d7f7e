import { expect, test } from 'vitest';
import { mountsBelow, parseMountPoints } from './mounts.ts';

test('mount points are read with the characters that mountinfo escapes', () => {
  const text = [
    '24 1 254:0 / / rw,relatime - ext4 /dev/root rw',
    '31 24 0:5 / /srv/a\\040b\\011c rw shared:2 - tmpfs tmpfs rw',
    '32 24 0:5 / /srv/caf\\303\\251 rw - tmpfs tmpfs rw',
    '',
  ].join('\n');
  expect(parseMountPoints(text)).toEqual(['/', '/srv/a b\tc', '/srv/café']);
});

test('a folder that is not there holds none, and /proc is one', () => {
  expect(mountsBelow('/nowhere/at/all')).toEqual([]);
  expect(mountsBelow('/proc')).toContain('/proc');
});
