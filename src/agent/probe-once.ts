/** Which commit the remotes of a repo have now: for a command that is no agent. */
import { PullyuError } from '../errors.ts';
import { createProber, type ProbeAnswer } from '../git/probe.ts';
import { decideSshFolder } from '../git/ssh.ts';
import type { RepoConfig, Tracking } from '../model/repo.ts';
import type { Trouble } from '../model/trouble.ts';
import type { Clock } from '../system/clock.ts';
import type { Paths } from '../system/paths.ts';
import type { HostView } from './context.ts';

/** The first remote that answers. @throws PullyuError `unreachable` */
export async function probeOnce(
  repo: RepoConfig,
  tracking: Tracking,
  o: {
    readonly paths: Paths;
    readonly view: HostView;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly clock: Clock;
    readonly signal: AbortSignal;
    /** What to do instead, when the trouble has no hint of its own. */
    readonly hint?: string;
  },
): Promise<ProbeAnswer> {
  const prober = createProber({
    limits: o.view.config.limits,
    env: o.env,
    now: o.clock.now,
    sshFolder: decideSshFolder(o.paths.state, process.getuid?.() ?? 0),
  });
  try {
    let problem: Trouble | null = null;
    for (const remote of repo.remotes) {
      const answer = await prober.probe(repo, remote, tracking, o.signal);
      if (answer.ok) return answer.value;
      problem ??= answer.trouble;
    }
    const hint = problem?.hint ?? o.hint;
    throw new PullyuError(
      'unreachable',
      problem?.message ?? `${repo.name} has no remote`,
      hint === undefined ? {} : { hint },
    );
  } finally {
    prober.close();
  }
}
