import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readIdentity } from '../agent/identity.ts';
import { readState } from '../agent/state-file.ts';
import { PullyuError } from '../errors.ts';
import { createProber } from '../git/probe.ts';
import { decideSshFolder } from '../git/ssh.ts';
import { type JournalView, readJournal } from '../journal/read.ts';
import type { HostConfig } from '../model/host.ts';
import type { Labels } from '../model/labels.ts';
import { readLockHolder } from '../system/lock.ts';
import { isAlive } from '../system/processes.ts';
import { type HeartbeatContext, machineOf, toolsOf } from './context.ts';
import type { DoctorFacts } from './doctor.ts';
import type { HostFacts, Problem } from './doctor-host.ts';
import type { RepoFacts } from './doctor-repos.ts';
import { decidePlaces } from './places.ts';
import { readHeartbeatFacts } from './read-heartbeat-facts.ts';
import { readMachineFacts } from './read-machine-facts.ts';
import { readRepoFacts } from './read-repo-facts.ts';
import { readStatusFacts } from './read-status-facts.ts';

/** host.yaml as it was read, with the labels that nodeinfo adds. */
export interface KnownHost {
  readonly config: HostConfig;
  readonly labels: Labels;
}

export interface DoctorOptions {
  /** @throws PullyuError `host-config`. null: there is no host.yaml. */
  readonly readHost: () => KnownHost | null;
  readonly system?: boolean;
  /** Do not ask remotes. */
  readonly offline?: boolean;
}

/** The interval to judge by when host.yaml cannot say. */
const INTERVAL_DEFAULT_MS = 60_000;

/** Gathers everything that the doctor judges. Changes nothing; every question has its own deadline. */
export async function readDoctorFacts(
  options: DoctorOptions,
  context: HeartbeatContext,
): Promise<DoctorFacts> {
  const { paths, env, uid, clock } = context;
  const host = attempt(options.readHost);
  const known = isProblem(host) ? null : host;
  const journal = attempt(() => readJournal(join(paths.state, 'journal.log')));
  const view = isProblem(journal) ? null : journal;
  const config = known?.config ?? null;
  const now = clock.now();
  return {
    machine: await readMachineFacts({ paths, config, env, uid, now, nodeVersion: process.versions.node }),
    host: hostFacts(host, journal, now, context),
    heartbeat: await heartbeatFacts(options, context, config, now),
    repos: known === null || options.offline ? [] : await repoFacts(known, view, context),
    status: known === null ? [] : await readStatusFacts(known.config, options.offline === true, context),
  };
}

function hostFacts(
  host: KnownHost | null | Problem,
  journal: JournalView | Problem,
  now: number,
  { paths }: HeartbeatContext,
): HostFacts {
  const holder = readLockHolder(join(paths.state, 'lock'));
  return {
    now,
    hostFile: paths.hostFile,
    config:
      host === null
        ? 'missing'
        : isProblem(host)
          ? host
          : { name: host.config.name, repos: host.config.repos.length },
    journal: isProblem(journal)
      ? journal
      : { runs: journal.runs().length, openRuns: journal.openRuns().length },
    pause: isProblem(journal) ? null : journal.pause(now),
    lock: holder && { ...holder, alive: isAlive(holder) },
  };
}

function heartbeatFacts(
  options: DoctorOptions,
  context: HeartbeatContext,
  config: HostConfig | null,
  now: number,
) {
  const machine = machineOf(context);
  const { paths, env, uid, launcher } = context;
  const places = decidePlaces(paths, {
    uid,
    env,
    system: options.system === true,
    cronFolder: machine.cronFolder,
  });
  return readHeartbeatFacts({
    paths,
    places,
    machine,
    launcher,
    env,
    now,
    hostId: readIdentity(paths.state) ?? '',
    intervalMs: config?.intervalMs ?? INTERVAL_DEFAULT_MS,
    lastLookAt: readState(paths.state).lastLookAt,
    tools: toolsOf(context),
  });
}

async function repoFacts(
  known: KnownHost,
  journal: JournalView | null,
  { paths, env, uid, clock }: HeartbeatContext,
): Promise<RepoFacts[]> {
  const sshFolder = decideSshFolder(paths.state, uid);
  const prober = createProber({
    limits: known.config.limits,
    env,
    // Only the agent makes it: asking must change nothing.
    sshFolder: existsSync(sshFolder) ? sshFolder : null,
  });
  try {
    return await readRepoFacts({
      state: paths.state,
      config: known.config,
      labels: known.labels,
      journal,
      troubles: readState(paths.state).repos,
      prober,
      clock,
    });
  } finally {
    prober.close();
  }
}

function attempt<T>(read: () => T): T | Problem {
  try {
    return read();
  } catch (error) {
    if (error instanceof PullyuError) {
      return { message: [error.message, ...error.lines].join('; '), hint: error.hint };
    }
    throw error;
  }
}

function isProblem(value: object | null): value is Problem {
  return value !== null && 'message' in value && 'hint' in value;
}
