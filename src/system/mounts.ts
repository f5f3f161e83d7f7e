/** What is mounted where: a folder that holds a mount point is not ours alone, and is never emptied. */
import { realpathSync } from 'node:fs';
import { PullyuError } from '../errors.ts';
import { readFileOrNull } from './files.ts';

const OCTAL = /\\([0-7]{3})/g;

/** Mount points at or below the folder, as /proc/self/mountinfo (Linux) knows them. No such folder: none. */
export function mountsBelow(folder: string): string[] {
  const real = realFolder(folder);
  if (real === null) return [];
  return parseMountPoints(readFileOrNull('/proc/self/mountinfo') ?? '').filter(
    (point) => point === real || point.startsWith(`${real}/`),
  );
}

/** Call before a folder is removed with all that is in it. It may be a mount point itself. @throws PullyuError `refused`. */
export function refuseMounts(folder: string): void {
  const real = realFolder(folder);
  const mounts = mountsBelow(folder).filter((point) => point !== real);
  if (mounts.length === 0) return;
  throw new PullyuError(
    'refused',
    `expected nothing mounted below ${folder}, found ${mounts.slice(0, 3).join(', ')}`,
    { hint: `umount ${mounts[0]}` },
  );
}

function realFolder(folder: string): string | null {
  try {
    return realpathSync(folder);
  } catch {
    return null;
  }
}

/** The fifth field of each line; spaces and the like stand there as octal bytes. */
export function parseMountPoints(mountinfo: string): string[] {
  return mountinfo.split('\n').flatMap((line) => {
    const point = line.split(' ')[4];
    if (point === undefined) return [];
    const bytes = Buffer.from(
      Buffer.from(point, 'utf8')
        .toString('latin1')
        .replace(OCTAL, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8))),
      'latin1',
    );
    return [bytes.toString('utf8')];
  });
}
