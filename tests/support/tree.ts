/** What lies in a folder, and what a commit says that should: one line a file, so that a difference can be read. */
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { git } from './git.ts';
import type { TestHost } from './host.ts';

/** `MODE BLOB PATH`, sorted. */
export function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => !/^\.(?:git|temp)(?:\/|$)/.test(name))
    .flatMap((name) => {
      const path = join(folder, name);
      const stats = lstatSync(path);
      if (stats.isDirectory()) return [];
      if (stats.isSymbolicLink()) return [`120000 ${blobId(Buffer.from(readlinkSync(path)))} ${name}`];
      return [`${(stats.mode & 0o111) === 0 ? '100644' : '100755'} ${blobId(readFileSync(path))} ${name}`];
    })
    .sort();
}

/** The same of a commit in a repository. */
export async function filesOfCommit(repository: string, commit: string): Promise<string[]> {
  const listed = await git(['-C', repository, 'ls-tree', '-r', '-z', '--full-tree', commit]);
  return listed
    .split('\0')
    .filter(Boolean)
    .map((line) => line.replace(/^(\d+) \w+ ([0-9a-f]+)\t/, '$1 $2 '))
    .sort();
}

/** Where `current` leads to; null when there is no tree yet. */
export function currentTree(host: TestHost, repo = 'it'): string | null {
  try {
    return realpathSync(join(host.state, 'repos', repo, 'current'));
  } catch {
    return null;
  }
}

/**
 * The promise that no crash may break: `current` leads to all files of exactly one of these commits, and to no other file.
 * @returns which. @throws Error with the differences to the last of them.
 */
export async function commitOfTree(
  host: TestHost,
  repository: string,
  commits: readonly string[],
): Promise<string> {
  const tree = currentTree(host);
  if (tree === null) throw new Error('expected a current tree, found none');
  const found = filesOf(tree);
  let wanted: string[] = [];
  for (const commit of commits) {
    wanted = await filesOfCommit(repository, commit);
    if (wanted.join('\n') === found.join('\n')) return commit;
  }
  const missing = wanted.filter((line) => !found.includes(line)).map((line) => `- ${line}`);
  const extra = found.filter((line) => !wanted.includes(line)).map((line) => `+ ${line}`);
  throw new Error(`the current tree is none of ${commits.join(', ')}:\n${[...missing, ...extra].join('\n')}`);
}

function blobId(content: Buffer): string {
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
}
