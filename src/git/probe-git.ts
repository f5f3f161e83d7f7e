/** Probes through `git ls-remote`: for git://, files, and proxies that only git can speak to. */

import type { CommitId } from '../model/ids.ts';
import type { RepoConfig } from '../model/repo.ts';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import { monotonicMs } from '../system/clock.ts';
import { readAccess } from './access.ts';
import { troubleOfMissing } from './probe-missing.ts';
import type { ProberOptions, RemoteProber } from './probe-types.ts';
import { chooseRef } from './probe-wanted.ts';
import type { Ref } from './ref-reader.ts';
import type { RemoteUrl } from './remote-url.ts';
import { runGit } from './run.ts';
import { troubleFromError, troubleFromGit } from './stderr.ts';

const OUTPUT_MAX_BYTES = 64 * 1024 * 1024;

export function createGitProber(repo: RepoConfig, url: RemoteUrl, o: ProberOptions): RemoteProber {
  const before = new Map<string, CommitId>();
  const context = { doing: 'ask the remote for its refs', remote: url.text };

  async function listRefs(
    args: readonly string[],
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<Result<Ref[]>> {
    const access = await readAccess(repo, url.text, o);
    if (!access.ok) return access;
    try {
      const result = await runGit(['ls-remote', ...args], {
        access: access.value,
        timeoutMs: Math.max(1, timeoutMs),
        maxOutputBytes: OUTPUT_MAX_BYTES,
        ...(signal === undefined ? {} : { signal }),
      });
      if (result.ended === 'exited' && result.exitCode === 0)
        return parseLsRemote(result.stdout.toString('utf8'), url.text);
      return fail(troubleFromGit(result, context));
    } catch (error) {
      const known = troubleFromError(error, context);
      if (known === null) throw error;
      return fail(known);
    }
  }

  return {
    async probe(wanted, signal) {
      const deadline = monotonicMs() + o.limits.probeTimeoutMs;
      // With --heads or --tags git asks for these only; with a pattern alone it asks for every ref that there is.
      const kind = wanted.refPrefix.startsWith('refs/tags/') ? '--tags' : '--heads';
      // The star also lets through what a tag is peeled to.
      const pattern = `${wanted.refPrefix}*`;
      const listed = await listRefs([kind, '--', url.text, pattern], o.limits.probeTimeoutMs, signal);
      if (!listed.ok) return listed;
      const refs = listed.value.filter((ref) => isKept(ref.name, wanted.filter));
      const chosen = await chooseRef(wanted, refs);
      if (!chosen.ok) return chosen;
      if (chosen.value !== null) {
        before.set(wanted.key, chosen.value.commit);
        return ok({ ...chosen.value, url: url.text });
      }
      const others = await listRefs(['--symref', '--', url.text], deadline - monotonicMs(), signal);
      if (!others.ok) return others;
      const about = {
        others: others.value,
        sawRefs: others.value.length > 0,
        before: before.get(wanted.key) ?? null,
      };
      return fail(troubleOfMissing(wanted, url.text, about));
    },
    close() {},
  };
}

function isKept(name: string, filter: { exact: string } | { prefix: string } | { first: number }): boolean {
  if ('exact' in filter) return name === filter.exact;
  return 'prefix' in filter ? name.startsWith(filter.prefix) : true;
}

/** Lines `id TAB name`, with `name^{}` for what an annotated tag stands for and `ref: name TAB HEAD` for a symbolic one. */
export function parseLsRemote(text: string, remote: string): Result<Ref[]> {
  const refs: Ref[] = [];
  let symref: string | null = null;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const head = /^ref: (\S+)\tHEAD$/.exec(line);
    if (head) {
      symref = head[1]!;
      continue;
    }
    const match = /^([0-9a-f]{40}|[0-9a-f]{64})\t(\S+)$/.exec(line);
    if (!match) {
      return fail(
        trouble('not-git', 'expected lines of an object id and a ref from git, found others', { remote }),
      );
    }
    const [, id = '', name = ''] = match;
    const last = refs.at(-1);
    if (last && name === `${last.name}^{}`) last.peeled = id;
    else refs.push({ id, name, peeled: null, symref: name === 'HEAD' ? symref : null });
  }
  return ok(refs);
}
