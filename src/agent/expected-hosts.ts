/** hosts.yaml of the trees of this host: who is expected, by which key. Read again when a file changed. */
import { join } from 'node:path';
import { HOSTS_FILE, parseExpectedHosts } from '../config/hosts-yaml.ts';
import { PullyuError } from '../errors.ts';
import type { ExpectedHost } from '../model/presence.ts';
import type { RepoConfig } from '../model/repo.ts';
import { stampOfFile } from '../system/file-stamp.ts';
import { readFileOrNull } from '../system/files.ts';
import { repoPaths } from '../system/paths.ts';
import type { AgentContext } from './context.ts';

/**
 * @returns null as long as no tree has one. One that is broken changes nothing: what was valid holds, and is complained of once.
 */
export function createExpectedHosts(
  { paths, emit }: Pick<AgentContext, 'paths' | 'emit'>,
  repos: () => readonly RepoConfig[],
): () => readonly ExpectedHost[] | null {
  const known = new Map<string, { readonly stamp: string; readonly hosts: readonly ExpectedHost[] | null }>();

  const readOne = (file: string, repo: string): readonly ExpectedHost[] | null => {
    const stamp = stampOfFile(file);
    const before = known.get(file);
    if (before?.stamp === stamp) return before.hosts;
    const hosts = parse(file, repo) ?? before?.hosts ?? null;
    known.set(file, { stamp, hosts });
    return hosts;
  };

  const parse = (file: string, repo: string): readonly ExpectedHost[] | null => {
    const text = readFileOrNull(file);
    if (text === null) return null;
    try {
      return parseExpectedHosts(text, HOSTS_FILE);
    } catch (error) {
      if (!(error instanceof PullyuError)) throw error;
      const more = error.lines[0] === undefined ? '' : `: ${error.lines[0]}`;
      emit({
        type: 'warning',
        text: `${repo}: ${error.message}${more}; the hosts that were expected before still are`,
      });
      return null;
    }
  };

  let last: readonly (readonly ExpectedHost[])[] = [];
  let joined: readonly ExpectedHost[] = [];
  return () => {
    const found = repos().flatMap(({ name }) => {
      const hosts = readOne(join(repoPaths(paths.state, name).current, HOSTS_FILE), name);
      return hosts === null ? [] : [hosts];
    });
    if (found.length === 0) return null;
    // The same object as long as nothing changed: whoever compares need not look inside.
    if (found.length !== last.length || found.some((hosts, n) => hosts !== last[n])) joined = found.flat();
    last = found;
    return joined;
  };
}
