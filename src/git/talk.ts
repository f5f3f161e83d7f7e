/**
 * Talking to a git server in its own words, without a git process and without a clone: for the many small things of the status, where
 * a clone would only be in the way. Refs are listed below prefixes, commits fetched by id, and pushes say what each ref must be before.
 */
import type { Limits } from '../model/host.ts';
import type { AccessSettings } from '../model/repo.ts';
import { fail, ok, type Result, type Trouble, trouble } from '../model/trouble.ts';
import type { GitObjects, ObjectFormat } from './objects.ts';
import { readPack } from './pack.ts';
import { decideProxy } from './proxy.ts';
import type { RefCommand, ReportReader } from './receive-pack.ts';
import type { MovedRef } from './ref-listing.ts';
import type { Ref } from './ref-reader.ts';
import { parseRemoteUrl } from './remote-url.ts';
import type { FetchQuestion, PackReader } from './upload-pack.ts';

export interface TalkOptions {
  readonly access: AccessSettings;
  /** Our own environment: proxies, HOME and PATH for credential helpers, SSH_AUTH_SOCK. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly sshFolder?: string | null;
  /** A list ends within the time of a probe; what is larger within that of a fetch that makes no progress. */
  readonly limits: Pick<Limits, 'probeTimeoutMs' | 'fetchStallMs'>;
  /** Wall clock, milliseconds since 1970. Only for dates in Retry-After. */
  readonly now?: () => number;
}

export interface Listing {
  /** Read when it is asked for. */
  readonly refs: readonly Ref[];
  readonly format: ObjectFormat;
  /** Counts the answers to this question. */
  readonly serial: number;
  /** The refs that moved since the answer before; null: it is not known, or some came or went. */
  readonly moved: readonly MovedRef[] | null;
}

export interface PushReport {
  /** By ref: null when it was done, or why not; escaped. */
  readonly refs: ReadonlyMap<string, string | null>;
  /** What hooks said, line by line; escaped. */
  readonly said: readonly string[];
}

/** One question at a time. */
export interface Talk {
  /** Refs below each of the prefixes; a whole name is a prefix too. None is an answer. */
  list(prefixes: readonly string[], signal?: AbortSignal): Promise<Result<Listing>>;
  /** What the commits hold. Whether all that was wanted is there is for the caller to see. */
  fetch(q: FetchQuestion, limits: FetchLimits, signal?: AbortSignal): Promise<Result<GitObjects>>;
  /** A refused command is a report; a trouble leaves open whether the push was done. */
  push(
    commands: readonly RefCommand[],
    objects: GitObjects,
    format: ObjectFormat,
    signal?: AbortSignal,
  ): Promise<Result<PushReport>>;
  close(): void;
}

export interface FetchLimits {
  /** Of the pack, as it comes. */
  readonly packMaxBytes: number;
  /** Of one object. */
  readonly objectMaxBytes: number;
}

/** What is different for each protocol. */
export interface Line {
  list(prefixes: readonly string[], signal?: AbortSignal): Promise<Result<Listing>>;
  fetch(
    q: FetchQuestion,
    maxBytes: number,
    signal?: AbortSignal,
  ): Promise<Result<{ reader: PackReader; format: ObjectFormat }>>;
  push(body: PushBody, signal?: AbortSignal): Promise<Result<ReportReader>>;
  close(): void;
}

export interface PushBody {
  readonly commands: readonly RefCommand[];
  readonly objects: GitObjects;
  readonly format: ObjectFormat;
}

/** A pack unpacks to this much more, at most: text does not shrink further than that. */
const INFLATED = 20;

/** @param remote A URL as a repo has it. */
export function createTalk(remote: string, o: TalkOptions): Talk {
  let opened: Promise<Result<Line>> | null = null;

  const open = (): Promise<Result<Line>> => {
    opened ??= openLine(remote, o).then((line) => {
      if (!line.ok) opened = null;
      return line;
    });
    return opened;
  };

  return {
    async list(prefixes, signal) {
      const line = await open();
      return line.ok ? line.value.list(prefixes, signal) : line;
    },
    async fetch(q, limits, signal) {
      const line = await open();
      if (!line.ok) return line;
      const answer = await line.value.fetch(q, limits.packMaxBytes, signal);
      if (!answer.ok) return answer;
      const { reader, format } = answer.value;
      const problem = troubleOfFetch(reader, remote);
      if (problem !== null) return fail(problem);
      const objects = readPack(reader.pack, format, {
        objectMaxBytes: limits.objectMaxBytes,
        totalMaxBytes: limits.packMaxBytes * INFLATED,
      });
      if (typeof objects !== 'string') return ok(objects);
      const found = objects === 'limit' ? 'one with objects larger than may be' : 'a damaged one';
      return fail(
        trouble(objects === 'limit' ? 'limit' : 'not-git', `expected a pack from ${remote}, found ${found}`, {
          remote,
        }),
      );
    },
    async push(commands, objects, format, signal) {
      const line = await open();
      if (!line.ok) return line;
      const report = await line.value.push({ commands, objects, format }, signal);
      if (!report.ok) return fail(ofPush(report.trouble));
      const { unpack, refs, said, error } = report.value;
      if (error !== null || unpack === null || (unpack !== 'ok' && refs.size === 0)) {
        const found = `"${error ?? unpack ?? 'nothing'}"`;
        return fail(
          trouble('server-error', `expected a report of the push to ${remote}, found ${found}`, { remote }),
        );
      }
      if (unpack === 'ok') return ok({ refs, said });
      return fail(
        trouble('server-error', `expected ${remote} to take what was pushed, found "${unpack}"`, {
          hint: 'look at the disk and the rights of the repository on the server',
          remote,
        }),
      );
    },
    close() {
      opened?.then((line) => line.ok && line.value.close());
      opened = null;
    },
  };
}

/** What is missing to those who may read is the right to write. */
function ofPush(problem: Trouble): Trouble {
  if (problem.code !== 'forbidden') return problem;
  return { ...problem, hint: 'give this credential the right to push to the repository' };
}

function troubleOfFetch(reader: PackReader, remote: string): Trouble | null {
  const make = (code: Trouble['code'], found: string) =>
    trouble(code, `expected a pack from ${remote}, found ${found}`, { remote });
  if (reader.isTooLarge) return make('limit', reader.broken ?? 'one that is too large');
  if (reader.error !== null) {
    const code = /not our ref|unadvertised/i.test(reader.error) ? 'ref-missing' : 'server-error';
    return make(code, `the message "${reader.error}"`);
  }
  if (reader.broken !== null) return make('not-git', `"${reader.broken}"`);
  return reader.isComplete ? null : make('empty-answer', 'only the beginning of one');
}

async function openLine(remote: string, o: TalkOptions): Promise<Result<Line>> {
  const url = parseRemoteUrl(remote);
  if (!url.ok) return url;
  const { protocol } = url.value;
  if (protocol !== 'http' && protocol !== 'https') {
    const { createCommandLine } = await import('./talk-command.ts');
    return ok(createCommandLine(url.value, o));
  }
  const proxy = decideProxy(url.value, o.access.proxy, o.env);
  if (proxy !== null && proxy.scheme !== 'http:' && proxy.scheme !== `${protocol}:`) {
    return fail(
      trouble('unreachable', `expected an http proxy on the way to ${remote}, found one of ${proxy.scheme}`, {
        hint: 'set `status.proxy` to an http proxy, or to a direct way with no_proxy',
        remote,
      }),
    );
  }
  const { createHttpLine } = await import('./talk-http.ts');
  return ok(createHttpLine(url.value, o));
}
