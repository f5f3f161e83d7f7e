/** Whether this process may work on this host at all, asked before it writes its first file. */
import { statSync } from 'node:fs';
import { PullyuError } from '../errors.ts';
import type { Paths } from '../system/paths.ts';

/**
 * @throws PullyuError `not-bootstrapped` where nobody ever was bootstrapped; `refused` for another user's host: files of ours among his
 *   would lock him out.
 */
export function checkMayLook(paths: Paths, uid: number): void {
  const state = statSync(paths.state, { throwIfNoEntry: false });
  if (state === undefined && statSync(paths.hostFile, { throwIfNoEntry: false }) === undefined) {
    throw new PullyuError('not-bootstrapped', `expected ${paths.hostFile}, found none`, {
      hint: 'run `pullyu bootstrap URL` with the URL of your repository',
    });
  }
  const owner = state ?? (paths.root === null ? undefined : statSync(paths.root, { throwIfNoEntry: false }));
  if (owner === undefined || owner.uid === uid) return;
  throw new PullyuError(
    'refused',
    `expected to run as the user with the id ${owner.uid}, to whom this host belongs, found ${uid}`,
    {
      hint: `${paths.state} is his; run it as that user, or choose another --root`,
    },
  );
}
