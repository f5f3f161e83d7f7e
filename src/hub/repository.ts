/**
 * One bare repository and what of it is kept in memory: what git advertises, and its refs. All of it belongs to one state of the
 * refs, and goes with it. A push through the hub says so itself (`changed`); any other change is seen by `ref-stamps.ts`.
 */

import { formatPacket } from '../git/pkt-line.ts';
import type { Clock } from '../system/clock.ts';
import { askGit, type GitLimits } from './git-child.ts';
import { parseLsRefsRequest } from './ls-refs-request.ts';
import type { ProtocolVersion } from './protocol-version.ts';
import { type RefStamps, takeRefStamps } from './ref-stamps.ts';
import { answerLsRefs, EVERYTHING, parseRefTable, type RefTable } from './ref-table.ts';
import type { GitService } from './route.ts';

export interface Repository {
  readonly name: string;
  /** Absolute, symbolic links resolved. */
  readonly folder: string;
  readonly objectFormat: string;
  /** Grows when the refs are seen to have changed: part of the key of whatever is kept about them. */
  generation(): number;
  /** What `info/refs` answers; null when git has to be asked first. Never waits. */
  advertisement(service: GitService, version: ProtocolVersion): Buffer | null;
  /** The same, asked when need be. @throws Error when git fails: it has said why on stderr, and nothing is kept. */
  advertise(service: GitService, version: ProtocolVersion): Promise<Buffer>;
  /**
   * The answer to an `ls-refs` request of protocol v2, from memory. `later`: `readRefs` has to answer. `git`: the request is not of
   * the usual form, git itself has to answer it.
   */
  lsRefs(body: Buffer): Buffer | 'later' | 'git';
  /** The same, asking git for the refs first when need be. @throws Error as `advertise`. */
  readRefs(body: Buffer): Promise<Buffer | 'git'>;
  /** Something was pushed, or may have been. */
  changed(): void;
}

export interface RepositoryOptions {
  readonly clock: Clock;
  readonly limits: GitLimits;
}

/** Everything that is known about one state of the refs. */
interface State {
  readonly stamps: RefStamps;
  /** The state was read so shortly after a change that a second one might not show in the times of files. */
  readonly isFresh: boolean;
  readonly advertisements: Map<string, Buffer>;
  table: RefTable | null;
  /** Answers by request: hosts of one kind ask the same question. */
  readonly answers: Map<string, Buffer>;
  answersBytes: number;
}

/** The kernel stamps files by a clock that ticks every few milliseconds. */
const TICK_MS = 25;
/** The files are asked at most so often, and for at most a twentieth of the time. */
const CHECK_EVERY_MS = 2;
const CHECK_SHARE = 20;
const ASK_TIMEOUT_MS = 60_000;
const ANSWERS_MAX = 256;
const ANSWERS_MAX_BYTES = 8 * 1024 * 1024;
/** A longer question is answered without being kept. */
const QUESTION_MAX_BYTES = 4 * 1024;

export function createRepository(
  place: Pick<Repository, 'name' | 'folder' | 'objectFormat'>,
  o: RepositoryOptions,
): Repository {
  let state: State | null = null;
  let generation = 1;
  let nextCheckAt = 0;
  const asking = new Map<string, Promise<Buffer>>();

  /** The state that holds now. A new one is empty. */
  function current(): State {
    if (state !== null && isStill(state)) return state;
    if (state !== null) generation += 1;
    const stamps = takeRefStamps(place.folder);
    const age = o.clock.now() - stamps.newestMs;
    // A clock of another machine (NFS) that is ahead by seconds says nothing.
    const isFresh = Math.abs(age) < TICK_MS;
    nextCheckAt = o.clock.monotonic() + CHECK_EVERY_MS;
    state = { stamps, isFresh, advertisements: new Map(), table: null, answers: new Map(), answersBytes: 0 };
    return state;
  }

  function isStill(known: State): boolean {
    const before = o.clock.monotonic();
    if (before < nextCheckAt) return true;
    const same = !known.isFresh && known.stamps.isSame();
    const took = o.clock.monotonic() - before;
    nextCheckAt = before + Math.max(CHECK_EVERY_MS, took * CHECK_SHARE);
    return same;
  }

  /** One process for all who want the same at the same time. */
  function once(key: string, ask: () => Promise<Buffer>): Promise<Buffer> {
    const whole = `${generation} ${key}`;
    const running = asking.get(whole);
    if (running !== undefined) return running;
    const asked = ask().finally(() => asking.delete(whole));
    asking.set(whole, asked);
    return asked;
  }

  async function ask(service: GitService, version: ProtocolVersion, input: string | null): Promise<Buffer> {
    const result = await askGit(
      {
        service: service === 'git-upload-pack' ? 'upload-pack' : 'receive-pack',
        folder: place.folder,
        version,
        advertise: input === null,
        timeoutMs: ASK_TIMEOUT_MS,
        limits: o.limits,
      },
      input ?? '',
    );
    if (result.ended === 'exited' && result.exitCode === 0) return result.stdout;
    throw new Error(`git ${service} of ${place.name}: ${result.ended}, ${result.stderr.trim()}`);
  }

  async function readTable(): Promise<RefTable> {
    const listed = await once('refs', () => ask('git-upload-pack', 2, everything(place.objectFormat)));
    const table = parseRefTable(listed);
    if (table === null) throw new Error(`git upload-pack of ${place.name}: expected a list of refs`);
    return table;
  }

  function answer(of: State, body: Buffer): Buffer | 'later' | 'git' {
    const question = body.length <= QUESTION_MAX_BYTES ? body.toString('latin1') : null;
    const known = question === null ? undefined : of.answers.get(question);
    if (known !== undefined) return known;
    const request = parseLsRefsRequest(body);
    if (request === null || (request.objectFormat ?? 'sha1') !== place.objectFormat) return 'git';
    if (of.table === null) return 'later';
    const made = answerLsRefs(of.table, request);
    if (question !== null) keepAnswer(of, question, made);
    return made;
  }

  return {
    ...place,
    generation: () => {
      current();
      return generation;
    },
    advertisement: (service, version) => current().advertisements.get(keyOf(service, version)) ?? null,
    async advertise(service, version) {
      const of = current();
      const key = keyOf(service, version);
      const known = of.advertisements.get(key);
      if (known !== undefined) return known;
      const bytes = await once(key, () => ask(service, version, null));
      const whole = version === 2 ? bytes : Buffer.concat([heading(service), bytes]);
      if (mayBeKept(whole)) of.advertisements.set(key, whole);
      return whole;
    },
    lsRefs: (body) => answer(current(), body),
    async readRefs(body) {
      // What is read from now on is no older than the question, also when it changes while it is read.
      const of = current();
      if (answer(of, body) === 'later') of.table ??= await readTable();
      const found = answer(of, body);
      if (found === 'later') throw new Error('expected the refs to be known');
      return found;
    },
    changed() {
      state = null;
      generation += 1;
    },
  };
}

function keyOf(service: GitService, version: ProtocolVersion): string {
  return `${service} ${version}`;
}

/** What git's own http-backend puts before an advertisement of v0 and v1. */
function heading(service: GitService): Buffer {
  return Buffer.from(`${formatPacket(`# service=${service}\n`)}0000`);
}

/** A nonce for signed pushes, an id of the session or refs of another repository differ without a change of the refs here. */
function mayBeKept(advertisement: Buffer): boolean {
  return !['push-cert=', 'session-id=', ' .have'].some((word) => advertisement.includes(word));
}

function keepAnswer(state: State, question: string, answer: Buffer): void {
  if (answer.length > ANSWERS_MAX_BYTES / 4) return;
  if (state.answers.size >= ANSWERS_MAX || state.answersBytes + answer.length > ANSWERS_MAX_BYTES) {
    state.answers.clear();
    state.answersBytes = 0;
  }
  state.answers.set(question, answer);
  state.answersBytes += answer.length;
}

function everything(objectFormat: string): string {
  const words = [
    EVERYTHING.peel && 'peel\n',
    EVERYTHING.symrefs && 'symrefs\n',
    EVERYTHING.unborn && 'unborn\n',
  ];
  return [
    formatPacket('command=ls-refs\n'),
    formatPacket(`object-format=${objectFormat}\n`),
    '0001',
    ...words.map((word) => formatPacket(word || '')),
    '0000',
  ].join('');
}
