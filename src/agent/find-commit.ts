import { PullyuError } from '../errors.ts';
import type { HostConfig } from '../model/host.ts';
import { type CommitId, isCommitId } from '../model/ids.ts';
import type { Clock } from '../system/clock.ts';
import type { Paths } from '../system/paths.ts';
import { openSource } from './source.ts';

/**
 * The commit of a full or short id, in whichever repo of the host has it.
 * @param o.repo Only in this one; null: in any.
 * @throws PullyuError `usage` when none has it, or several have.
 */
export async function findCommit(
  paths: Paths,
  config: HostConfig,
  text: string,
  o: { repo: string | null; clock: Clock; env: Readonly<Record<string, string | undefined>> },
): Promise<{ repo: string; id: CommitId }> {
  if (!/^[0-9a-fA-F]{4,64}$/.test(text)) {
    throw new PullyuError(
      'usage',
      `expected a commit id of 4 or more hex digits, found ${JSON.stringify(text)}`,
      { hint: '`git rev-parse REF` gives the id of a branch or tag' },
    );
  }
  const repos = config.repos.filter(({ name }) => o.repo === null || name === o.repo);
  const found: { repo: string; id: CommitId }[] = [];
  for (const repo of repos) {
    const source = openSource(paths, repo, { ...o, limits: config.limits });
    try {
      const read = await source.git.read(['rev-parse', '--verify', '--quiet', `${text}^{commit}`], {
        doing: 'look for a commit',
      });
      const id = read.ok ? read.value.toString('latin1').trim() : '';
      if (isCommitId(id)) found.push({ repo: repo.name, id });
    } finally {
      source.close();
    }
  }
  if (found.length === 1) return found[0]!;
  if (found.length > 1) {
    const names = found.map(({ repo }) => repo).join(', ');
    throw new PullyuError('usage', `${text} is a commit of several repos: ${names}`, {
      hint: 'say which with --repo',
    });
  }
  const names = repos.map((repo) => repo.name).join(', ') || 'no repo';
  throw new PullyuError('usage', `expected one commit of ${names}, found none that is ${text} for certain`, {
    hint: 'it must have been fetched, and a short id be long enough for one commit; for what is not pushed yet: pullyu plan --tree DIR',
  });
}
