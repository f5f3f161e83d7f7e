/** A prober with a repo of one remote, for tests of src/git. */

import { createProber, type Prober, type ProberOptions } from '../../src/git/probe.ts';
import { type AccessSettings, NO_ACCESS, type RepoConfig, type Tracking } from '../../src/model/repo.ts';

export function repoOf(remote: string, access: Partial<AccessSettings> = {}): RepoConfig {
  return {
    name: 'it',
    remotes: [remote],
    track: { ref: 'main' },
    pull: 'agent',
    clone: 'full',
    submodules: false,
    lfs: false,
    convention: { init: [], work: [] },
    access: { ...NO_ACCESS, ...access },
  };
}

export const MAIN: Tracking = { kind: 'branch', name: 'main' };

export interface Asker extends Disposable {
  readonly prober: Prober;
  readonly repo: RepoConfig;
  /** Probes the remote for main, or for what else is tracked. */
  ask(tracking?: Tracking, signal?: AbortSignal): ReturnType<Prober['probe']>;
  /** The name of the trouble, or the commit. */
  outcome(tracking?: Tracking): Promise<string>;
}

export function createAsker(
  remote: string,
  access: Partial<AccessSettings> = {},
  o: Partial<ProberOptions> = {},
): Asker {
  const prober = createProber({ limits: { probeTimeoutMs: 5_000 }, env: {}, ...o });
  const repo = repoOf(remote, access);
  const ask: Asker['ask'] = (tracking = MAIN, signal) => prober.probe(repo, remote, tracking, signal);
  return {
    prober,
    repo,
    ask,
    async outcome(tracking) {
      const answer = await ask(tracking);
      return answer.ok ? answer.value.commit : answer.trouble.code;
    },
    [Symbol.dispose]: () => prober.close(),
  };
}
