/** hosts.yaml of a repository: text in, expected hosts out. Pure. */
import type { ExpectedHost } from '../model/presence.ts';
import { plainPublicKey } from '../model/public-key.ts';
import { type Checked, type CheckOptions, checkText } from './check-text.ts';
import { type HostsValues, hostsSchema } from './hosts-schema.ts';
import { HOSTS_MAX_BYTES } from './limits.ts';
import { type Problem, problemsError } from './problem.ts';

/** The file in the root of a repository. */
export const HOSTS_FILE = 'hosts.yaml';

const OPTIONS: CheckOptions = {
  isText: (path) => path[2] === 'labels',
  isSecret: (path) => path[2] === 'keys' || path[2] === 'key',
  // Ten thousand hosts and more, each with a key and some labels.
  limits: { maxBytes: HOSTS_MAX_BYTES, maxValues: 500_000 },
};

/**
 * @param text Bytes where there are bytes: then what is not UTF-8 is found too.
 * @param file As messages name it. Default: hosts.yaml.
 * @returns In the order of the file.
 * @throws PullyuError `repo-config` with a line `file:line:column: message` for every problem.
 */
export function parseExpectedHosts(text: string | Uint8Array, file = HOSTS_FILE): ExpectedHost[] {
  const { hosts, problems } = checkExpectedHosts(text);
  if (hosts === null) throw problemsError('repo-config', file, problems, 'docs/hosts-yaml.md');
  return hosts;
}

export interface CheckedHosts {
  /** null when there are problems. */
  readonly hosts: ExpectedHost[] | null;
  readonly problems: readonly Problem[];
}

export function checkExpectedHosts(text: string | Uint8Array): CheckedHosts {
  const checked = checkText(hostsSchema, text, OPTIONS);
  if (checked.values === null) return { hosts: null, problems: checked.problems };
  const hosts = Object.entries(checked.values.hosts).map(([name, values]) => decideHost(name, values));
  const problems = sharedKeys(hosts, checked);
  return { hosts: problems.length === 0 ? hosts : null, problems };
}

function decideHost(name: string, values: HostsValues['hosts'][string]): ExpectedHost {
  const keys = values.key === undefined ? values.keys : [values.key, ...values.keys];
  return {
    name,
    labels: Object.fromEntries(Object.entries(values.labels).map(([key, value]) => [key, String(value)])),
    keys: [...new Set(keys.map((key) => plainPublicKey(key)!))],
  };
}

/** With one key for two hosts each could speak for the other. */
function sharedKeys(hosts: readonly ExpectedHost[], { text }: Checked<HostsValues>): Problem[] {
  const ownerOf = new Map<string, string>();
  return hosts.flatMap(({ name, keys }) =>
    keys.flatMap((key) => {
      const owner = ownerOf.get(key);
      ownerOf.set(key, owner ?? name);
      if (owner === undefined) return [];
      const message = `hosts.${name}: expected a key of its own, found the key of ${owner}`;
      return [{ ...text.at(['hosts', name], 'key'), message }];
    }),
  );
}
