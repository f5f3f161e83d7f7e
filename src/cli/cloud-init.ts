import { EXIT, type ExitCode, PullyuError } from '../errors.ts';
import {
  type CloudInitOptions,
  defaultPackages,
  renderCloudConfig,
  renderCloudFormation,
} from '../heartbeat/cloud-init.ts';
import type { Labels } from '../model/labels.ts';
import { readFileOrNull } from '../system/files.ts';

export interface CloudInitCommandOptions {
  readonly name?: string;
  readonly host?: string;
  readonly labels: Labels;
  readonly track?: string;
  readonly interval?: string;
  readonly nodeinfo?: string;
  readonly heartbeat?: string;
  readonly install?: string;
  /** Replaces the default list. */
  readonly packages?: readonly string[];
  /** A file. */
  readonly knownHosts?: string;
  readonly cloudformation?: boolean;
}

/** `pullyu cloud-init URL`: prints user data. Needs no host, reads nothing but `--known-hosts`. */
export async function runCloudInit(
  url: string,
  options: CloudInitCommandOptions,
  context: { readonly json: boolean; readonly write: (text: string) => void },
): Promise<ExitCode> {
  const wanted: CloudInitOptions = {
    url,
    repo: options.name ?? null,
    host: options.host ?? null,
    labels: options.labels,
    track: options.track ?? null,
    interval: options.interval ?? null,
    nodeinfo: options.nodeinfo ?? null,
    heartbeat: options.heartbeat ?? null,
    install: options.install ?? null,
    packages: options.packages ?? defaultPackages,
    knownHosts: options.knownHosts === undefined ? null : readKnownHosts(options.knownHosts),
  };
  if (!/[:/$]/.test(url) || /^\.{1,2}\//.test(url)) {
    throw new PullyuError(
      'usage',
      `expected a URL that the new machine can reach, found ${JSON.stringify(url)}`,
      {
        hint: 'such as pullyu cloud-init https://git.example.com/it.git',
      },
    );
  }
  if (options.cloudformation) context.write(renderCloudFormation(wanted, context.json ? 'json' : 'yaml'));
  else {
    const userData = renderCloudConfig(wanted);
    context.write(context.json ? `${JSON.stringify({ userData })}\n` : userData);
  }
  return EXIT.ok;
}

function readKnownHosts(file: string): string {
  const text = readFileOrNull(file);
  if (text !== null) return text;
  throw new PullyuError('usage', `expected a file of known hosts, found none at ${JSON.stringify(file)}`, {
    hint: 'ssh-keyscan HOST >FILE, and compare the key with what the git server says',
  });
}
