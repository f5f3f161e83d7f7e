/**
 * `.temp/nodeinfo/currentaction.txt` and `lastaction.txt`: one commit id each, for scripts of the practice that read them.
 * They are notes for others; the agent itself only trusts the journal.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { CommitId } from '../model/ids.ts';
import { makeFolder, writeFileAtomic } from '../system/files.ts';
import { type Paths, repoPaths } from '../system/paths.ts';

export interface Markers {
  /** Work on this commit begins. */
  begin(commit: CommitId): void;
  /** Work ended. `done`: all of it is done, so the commit was acted upon. */
  end(commit: CommitId, done: boolean): void;
}

export function createMarkers(paths: Paths, repo: string): Markers {
  const folder = join(repoPaths(paths.state, repo).temp, 'nodeinfo');
  const current = join(folder, 'currentaction.txt');
  const last = join(folder, 'lastaction.txt');
  return {
    begin(commit) {
      makeFolder(folder);
      writeFileAtomic(current, `${commit}\n`, { durable: false });
    },
    end(commit, done) {
      if (done) writeFileAtomic(last, `${commit}\n`, { durable: false });
      rmSync(current, { force: true });
    },
  };
}
