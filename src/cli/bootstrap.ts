/**
 * `pullyu bootstrap URL`: configure, look, install the heartbeat. Everything that can be wrong is found out before anything is written;
 * from the first write on, the next look finishes what is cut off, because it is the same look.
 */
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, isAbsolute, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HostView } from '../agent/context.ts';
import { readHostView } from '../agent/host-view.ts';
import { ensureIdentity } from '../agent/identity.ts';
import { runWithLock } from '../agent/one-look.ts';
import { readPicture, readPlan } from '../agent/status.ts';
import { parseDuration } from '../config/duration.ts';
import { editHostConfig, formatHostConfig, HOST_SCHEMA_FILE } from '../config/edit-host-config.ts';
import { parseHostConfig } from '../config/host-config.ts';
import { whatIsWrongWithRemote } from '../config/remote.ts';
import type { StatusSettings } from '../config/status-schema.ts';
import { EXIT, type ExitCode, PullyuError } from '../errors.ts';
import { createProber } from '../git/probe.ts';
import { readGitVersion } from '../git/version.ts';
import { installHeartbeat } from '../heartbeat/install-heartbeat.ts';
import type { AgentEvent } from '../model/event.ts';
import type { HostConfig } from '../model/host.ts';
import type { HostId } from '../model/ids.ts';
import { formatLabels } from '../model/labels.ts';
import { printable } from '../model/printable.ts';
import type { RepoConfig } from '../model/repo.ts';
import type { Trouble } from '../model/trouble.ts';
import { resolveTracking } from '../plan/tracking.ts';
import { ensureHostKey } from '../presence/host-key.ts';
import { makeFolder, namedWriteError, readFileOrNull, writeFileAtomic } from '../system/files.ts';
import type { CommandContext } from './context.ts';
import { isoTimes, printEvents } from './event-lines.ts';
import { heartbeatContext, writableFolders } from './heartbeat-context.ts';
import { parseHeartbeatKind } from './install.ts';

export interface BootstrapOptions {
  readonly name?: string;
  readonly host?: string;
  readonly label: Readonly<Record<string, string>>;
  readonly track?: string;
  readonly interval?: string;
  readonly nodeinfo?: string;
  readonly credentials?: string;
  readonly sshKey?: string;
  readonly knownHosts?: string;
  readonly status?: string;
  readonly statusHeartbeat?: string;
  readonly statusCredentials?: string;
  readonly heartbeat: string;
  readonly json?: boolean;
}

export async function runBootstrap(
  url: string,
  options: BootstrapOptions,
  context: CommandContext,
): Promise<ExitCode> {
  const { paths, out } = context;
  const heartbeat = parseHeartbeatKind(options.heartbeat);
  const name = options.name ?? nameOfUrl(url);
  const before = readFileOrNull(paths.hostFile);
  const absolute = (path: string | undefined) =>
    path === undefined || isAbsolute(path) ? path : resolve(context.cwd, path);
  const remote = remoteOf(url, context.cwd);
  checkDuration('--interval', options.interval);
  checkDuration('--status-heartbeat', options.statusHeartbeat);
  const status = statusOf(options, context.cwd);
  const ssh = {
    ...(options.sshKey === undefined ? {} : { key: absolute(options.sshKey)! }),
    ...(options.knownHosts === undefined ? {} : { knownHosts: absolute(options.knownHosts)! }),
  };
  const change = {
    ...(options.host === undefined ? {} : { name: options.host }),
    ...(Object.keys(options.label).length === 0 ? {} : { labels: options.label }),
    ...(options.interval === undefined ? {} : { interval: options.interval }),
    ...(options.nodeinfo === undefined ? {} : { nodeinfo: absolute(options.nodeinfo)! }),
    ...(status === null ? {} : { status }),
    repos: {
      [name]: {
        remotes: [remote],
        ...(options.track === undefined ? {} : { track: options.track }),
        ...(options.credentials === undefined ? {} : { credentials: absolute(options.credentials)! }),
        ...(Object.keys(ssh).length === 0 ? {} : { ssh }),
      },
    },
  };
  const text =
    before === null || before.trim() === ''
      ? formatHostConfig(change, schemaFile())
      : editHostConfig(before, change, paths.hostFile);
  const config = parseHostConfig(text, paths.hostFile, { hostName: hostname(), configFolder: paths.config });
  await checkRemote(config, name, context);

  const id = writeHost(text === before ? null : text, context);
  const view = await readHostView(paths, id, null);
  const { nodeinfo } = view.config;
  const say = options.json ? () => {} : out.line;
  const notes: string[] = [];
  const keyNote = makeHostKey(paths.state, view.host.name);
  if (keyNote !== null) {
    notes.push(keyNote);
    say(`${out.yellow('note')}: ${keyNote}`);
  }
  if (nodeinfo !== null && !existsSync(nodeinfo)) {
    notes.push(`${printable(nodeinfo)} is not there, so no label comes from it yet`);
    say(`${out.yellow('note')}: ${notes.at(-1)}`);
  }
  say(
    `${out.bold(view.host.name)} follows the repo ${name} (${printable(remote)}); configuration: ${paths.hostFile}`,
  );

  // Before the first look, which may take long: cut off from here on, the heartbeat finishes it.
  const report = await installHeartbeat(
    { heartbeat, intervalMs: view.config.intervalMs, writable: writableFolders(view.config) },
    heartbeatContext(context),
  );
  for (const step of report.steps) say(`${step.did} ${step.what}`);
  for (const note of report.notes) say(note);

  const events: AgentEvent[] = [];
  const exitCode = await runWithLock(
    { ...context, emit: options.json ? (event) => void events.push(event) : printEvents(out) },
    (who) => out.notice(`${who} looks already; waiting for its look`),
  );
  const idle = exitCode === EXIT.ok ? await describeIdle(name, view, context) : null;
  if (idle !== null) notes.push(idle);
  if (exitCode === EXIT.ok)
    say(`${out.green('well')}: ${idle ?? 'all work is done; `pullyu status` shows it'}`);
  else {
    const who = report.kind === 'none' ? 'the next look' : 'the heartbeat';
    const what = exitCode === EXIT.interrupted ? 'cut off' : 'not all is well yet';
    say(`${what}; ${who} goes on, \`pullyu status\` shows what is missing`);
  }
  if (options.json) {
    const { host } = view;
    out.json({
      host: { name: host.name, id: host.id, labels: host.labels },
      repo: name,
      remote,
      configuration: paths.hostFile,
      heartbeat: { heartbeat: report.kind, steps: report.steps, notes: report.notes },
      exitCode,
      events: JSON.parse(JSON.stringify(events, isoTimes)),
      notes,
    });
  }
  return exitCode;
}

/** @param text null: host.yaml is as it should be. @throws PullyuError that says that nothing is in force. */
function writeHost(text: string | null, { paths }: CommandContext): HostId {
  try {
    const id = ensureIdentity(paths.state);
    makeFolder(paths.config);
    if (text !== null) writeFileAtomic(paths.hostFile, text);
    return id;
  } catch (error) {
    const named = error instanceof PullyuError ? error : namedWriteError(error, dirname(paths.hostFile));
    if (named?.code !== 'disk-full') throw named ?? error;
    throw new PullyuError(named.code, named.message, {
      hint: 'free some space and call bootstrap again; no configuration was written',
      cause: error,
    });
  }
}

/** A label with a typing error looks just like a host for which there is nothing to do. null: it has something to do. */
async function describeIdle(
  repo: string,
  { host }: HostView,
  context: CommandContext,
): Promise<string | null> {
  const { paths, clock, env } = context;
  const { plan } = await readPlan(paths, await readPicture(paths, clock), clock, env);
  const steps = plan.steps.filter((step) => step.repo === repo);
  if (steps.length > 0 && steps.every((step) => step.reason === 'not-selected')) {
    return `none of its actions is for this host (${formatLabels(host.labels)}); \`pullyu status --all\` shows for which they are`;
  }
  return null;
}

/** @throws PullyuError `usage`, about what was typed and not about a file that is not written yet; `unreachable`. */
function remoteOf(url: string, cwd: string): string {
  if (isLocalPath(url)) {
    const path = resolve(cwd, url);
    if (existsSync(path)) return path;
    const isLikeHost = /^[a-z0-9-]+(\.[a-z0-9-]+)+\//i.test(url);
    throw new PullyuError('unreachable', `expected a repository at ${printable(path)}, found nothing there`, {
      hint: `${isLikeHost ? `a URL begins with its scheme, as in https://${printable(url)}` : 'correct it and call bootstrap again'}; nothing was written`,
    });
  }
  const wrong = whatIsWrongWithRemote(url);
  if (wrong === null) return url;
  throw new PullyuError('usage', wrong, {
    hint: 'such as pullyu bootstrap https://git.example.com/it.git; nothing was written',
  });
}

/** The keys of `status` that were asked for; null: none. @throws PullyuError `usage`. */
function statusOf(o: BootstrapOptions, cwd: string): Partial<StatusSettings> | null {
  const more = {
    ...(o.statusHeartbeat === undefined ? {} : { heartbeat: o.statusHeartbeat }),
    ...(o.statusCredentials === undefined ? {} : { credentials: resolve(cwd, o.statusCredentials) }),
  };
  if (o.status === undefined) return Object.keys(more).length === 0 ? null : more;
  const urls = o.status.split(',');
  if (urls.every((url) => /^(?:nats|tls):/.test(url))) return { nats: urls, ...more };
  // Nothing may be there yet: what waits is delivered when there is.
  const url = isLocalPath(o.status) ? resolve(cwd, o.status) : o.status;
  const wrong = whatIsWrongWithRemote(url);
  if (wrong === null) return { remote: url, ...more };
  throw new PullyuError('usage', `--status: ${wrong}`, {
    hint: 'such as --status https://git.example.com/status.git; nothing was written',
  });
}

function checkDuration(option: string, text: string | undefined): void {
  if (text === undefined || parseDuration(text) !== null) return;
  throw new PullyuError('usage', `expected a duration for ${option}, found ${JSON.stringify(text)}`, {
    hint: 'such as 500ms, 5s or 1m',
  });
}

/** In the package of the program that runs: it describes just the keys that this version knows. */
function schemaFile(): string {
  return fileURLToPath(new URL(`../${HOST_SCHEMA_FILE}`, import.meta.url));
}

/** Git, rights and the remote, before anything is written. */
async function checkRemote(config: HostConfig, name: string, context: CommandContext): Promise<void> {
  const { env, clock, signal } = context;
  const git = await readGitVersion(env.PATH === undefined ? {} : { PATH: env.PATH });
  if (!git.ok) throw errorOfTrouble(git.trouble);
  const repo = config.repos.find((one) => one.name === name) as RepoConfig;
  const { readNodeinfo } = await import('../config/nodeinfo.ts');
  const tracking = resolveTracking(repo.track, { ...readNodeinfo(config.nodeinfo), ...config.labels });
  if (!tracking.ok) throw errorOfTrouble(tracking.trouble);
  const prober = createProber({ limits: config.limits, env, now: clock.now });
  try {
    let problem: Trouble | null = null;
    for (const remote of repo.remotes) {
      const answer = await prober.probe(repo, remote, tracking.value, signal);
      if (answer.ok) return;
      problem ??= answer.trouble;
    }
    if (problem !== null) throw errorOfTrouble(problem);
  } finally {
    prober.close();
  }
}

const OWN_SIDE: ReadonlySet<Trouble['code']> = new Set(['config', 'git-missing', 'git-too-old']);

function errorOfTrouble(problem: Trouble): PullyuError {
  const code = OWN_SIDE.has(problem.code) ? 'program-missing' : 'unreachable';
  return new PullyuError(problem.code === 'config' ? 'host-config' : code, problem.message, {
    hint: `${problem.hint ?? 'correct it and call bootstrap again'}; nothing was written`,
  });
}

/** `https://git.example.com/it.git` is `it`. */
function nameOfUrl(url: string): string {
  const last =
    url
      .replace(/[/]+$/, '')
      .split(/[/:\\]/)
      .at(-1) ?? '';
  const name = last
    .replace(/\.git$/, '')
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 64);
  if (name === '') {
    throw new PullyuError('usage', `expected the URL of a repository, found ${JSON.stringify(url)}`, {
      hint: 'or name the repo with --name',
    });
  }
  return name;
}

function isLocalPath(url: string): boolean {
  return /^\.{0,2}\//.test(url) || !url.includes(':');
}

/** So that hosts.yaml can list it from the beginning. One that cannot be read keeps nobody from following a repository: a note. */
function makeHostKey(state: string, name: string): string | null {
  try {
    ensureHostKey(state, name);
    return null;
  } catch (error) {
    if (error instanceof PullyuError && error.code === 'refused') return `${error.message}: ${error.hint}`;
    throw error;
  }
}
