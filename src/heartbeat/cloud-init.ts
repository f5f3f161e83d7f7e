/** User data for a cloud: one document that makes a bare machine a pullyu host. It never holds a secret. */
import { Document, type Scalar, stringify, visit } from 'yaml';
import { factOfLabel } from '../config/nodeinfo.ts';
import { PullyuError } from '../errors.ts';
import type { Labels } from '../model/labels.ts';
import { renderFirstBootScript } from './first-boot.ts';

export interface CloudInitOptions {
  readonly url: string;
  /** `--name`: how the host calls the repo; null: from the URL. */
  readonly repo: string | null;
  readonly host: string | null;
  readonly labels: Labels;
  readonly track: string | null;
  readonly interval: string | null;
  /** Folder for the node facts; null: labels go to `pullyu bootstrap --label`. */
  readonly nodeinfo: string | null;
  readonly heartbeat: string | null;
  /** A shell command that puts pullyu on the machine; null: its image has it. */
  readonly install: string | null;
  readonly packages: readonly string[];
  /** Lines of an OpenSSH known_hosts file: public, and without them ssh remotes are refused. */
  readonly knownHosts: string | null;
}

/** What EC2 and most clouds accept, before base64. */
export const USER_DATA_MAX_BYTES = 16 * 1024;

/** Pullyu itself and node come with the machine's image, or by `--install`. */
export const defaultPackages = ['ca-certificates', 'git', 'openssh-client'] as const;

/** Where CloudFormation's labels go, and where scripts of the practice look for them. */
export const defaultNodeinfo = '/root/nodeinfo';

const SCRIPT = '/root/pullyu-first-boot.sh';

// biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of CloudFormation
const STACK_NAME = '${AWS::StackName}';

/**
 * A `#cloud-config` document.
 * @throws PullyuError for a URL with a secret in it, a label that is no file name, or more than a cloud accepts.
 */
export function renderCloudConfig(options: CloudInitOptions): string {
  checkOptions(options);
  const text = `#cloud-config\n# Made by "pullyu cloud-init". It holds no secret: every program on the machine can read user data.\n${formatYaml(
    cloudConfig(options),
  )}`;
  checkSize(Buffer.byteLength(text));
  return text;
}

/**
 * The `UserData` property of an instance or launch template. A label whose value is a reference such as `${Deployment}`
 * is filled in by CloudFormation; the stack is `${AWS::StackName}` unless a label says otherwise.
 */
export function renderCloudFormation(options: CloudInitOptions, form: 'yaml' | 'json'): string {
  const labels: Labels = { stack: STACK_NAME, ...options.labels };
  const nodeinfo = options.nodeinfo ?? defaultNodeinfo;
  const text = escapeSub(renderCloudConfig({ ...options, labels, nodeinfo }), Object.values(labels));
  // A reference may become as long as a parameter value is in practice.
  const references = text.match(/\$\{[^!][^}]*\}/g) ?? [];
  checkSize(Buffer.byteLength(text) + references.length * 128);
  const value = { UserData: { 'Fn::Base64': { 'Fn::Sub': text } } };
  return form === 'json' ? `${JSON.stringify(value, null, 2)}\n` : formatYaml(value);
}

function cloudConfig(options: CloudInitOptions): unknown {
  const { nodeinfo, labels } = options;
  const facts = Object.entries(labels).flatMap(([label, value]) => {
    const name = nodeinfo === null ? null : factOfLabel(label);
    return name === null
      ? []
      : [{ path: `${nodeinfo}/${name}.txt`, permissions: '0644', content: `${value}\n` }];
  });
  const knownHosts = {
    path: '/etc/ssh/ssh_known_hosts',
    append: true,
    permissions: '0644',
    content: `${options.knownHosts?.trimEnd()}\n`,
  };
  const script = renderFirstBootScript({ install: options.install, bootstrap: bootstrapWords(options) });
  return {
    package_update: true,
    packages: options.packages,
    write_files: [
      ...facts,
      ...(options.knownHosts === null ? [] : [knownHosts]),
      { path: SCRIPT, permissions: '0700', content: script },
    ],
    runcmd: [[SCRIPT]],
  };
}

function bootstrapWords(options: CloudInitOptions): string[] {
  const words = [options.url];
  const add = (flag: string, value: string | null) => {
    if (value !== null) words.push(flag, value);
  };
  add('--name', options.repo);
  add('--host', options.host);
  add('--track', options.track);
  add('--interval', options.interval);
  add('--nodeinfo', options.nodeinfo);
  add('--heartbeat', options.heartbeat);
  for (const [key, value] of Object.entries(options.labels)) {
    if (options.nodeinfo === null || factOfLabel(key) === null) add('--label', `${key}=${value}`);
  }
  return words;
}

/** Everything that looks like a reference is one for Fn::Sub; only the references that labels hold are meant. */
function escapeSub(text: string, values: readonly string[]): string {
  const unfinished = /\$\{[^}\n]*$/m.exec(text);
  if (unfinished) {
    throw new PullyuError(
      'usage',
      `CloudFormation takes \`${unfinished[0].slice(0, 80)}\` for a reference that does not end`,
      {
        hint: 'close every brace on the line on which it begins',
      },
    );
  }
  const meant = new Set(values.filter((value) => /^\$\{[A-Za-z0-9:.]+\}$/.test(value)));
  return text.replaceAll(/\$\{[^}]*\}/g, (found) => (meant.has(found) ? found : `\${!${found.slice(2)}`));
}

function checkOptions(options: CloudInitOptions): void {
  for (const text of [options.url, options.install ?? '']) {
    if (!/[a-z][a-z0-9+.-]*:\/\/[^/\s@]*:[^/\s@]*@/i.test(text) && !/https?:\/\/[^/\s@]+@/i.test(text))
      continue;
    throw new PullyuError(
      'usage',
      'a URL with credentials in it was given; user data is readable by every program of the machine',
      {
        hint: 'give the URL without them, and bring a credentials file to the host (host.yaml: `credentials`)',
      },
    );
  }
  for (const [key, value] of Object.entries(options.labels)) {
    if (/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(key) && !/\p{Cc}/u.test(value)) continue;
    throw new PullyuError(
      'usage',
      `expected a label of plain characters, found ${JSON.stringify(`${key}=${value}`)}`,
      {
        hint: 'letters, digits, ".", "_" and "-" for its name; no control characters in its value',
      },
    );
  }
}

function checkSize(bytes: number): void {
  if (bytes <= USER_DATA_MAX_BYTES) return;
  throw new PullyuError(
    'usage',
    `expected user data of at most ${USER_DATA_MAX_BYTES} bytes, found ${bytes}`,
    {
      hint: 'shorten --install and --known-hosts: move what is long into the repository',
    },
  );
}

/** Texts of several lines, and texts that CloudFormation fills in, stand as literal blocks: no quote can end them. */
function formatYaml(value: unknown): string {
  const document = new Document(value, { aliasDuplicateObjects: false });
  visit(document, {
    Scalar(_key, node: Scalar) {
      if (typeof node.value === 'string' && node.value.includes('\n')) node.type = 'BLOCK_LITERAL';
    },
  });
  return stringify(document, { lineWidth: 0 });
}
