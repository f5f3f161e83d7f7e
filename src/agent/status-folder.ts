import { join } from 'node:path';
import type { Paths } from '../system/paths.ts';

/** Outbox, what was read of the other hosts, and what the stores keep. */
export function statusFolder(paths: Pick<Paths, 'state'>): string {
  return join(paths.state, 'status');
}
