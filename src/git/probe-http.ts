/**
 * Probes over http(s). First contact: GET info/refs, which also tells where the repository is and which protocol is
 * spoken. From then on one POST of `ls-refs` per probe on a kept connection; when its answer is not understood, the GET
 * is done again. A server of protocol v0 gets the GET each time.
 */

import type { CommitId } from '../model/ids.ts';
import type { RepoConfig } from '../model/repo.ts';
import { fail, ok, type Result, type Trouble, trouble } from '../model/trouble.ts';
import { monotonicMs } from '../system/clock.ts';
import type { AnswerReader } from './answer-reader.ts';
import {
  createExchange,
  type NoReading,
  type Question,
  type Reading,
  type Time,
  wrongAnswer,
} from './http-exchange.ts';
import { openPlace, type Place, stampOfPlace } from './http-place.ts';
import { decideRedirect, INFO_REFS, isRedirect, REDIRECTS_MAX } from './http-redirect.ts';
import type { HttpRequest } from './http-request.ts';
import { formatLsRefs } from './ls-refs.ts';
import { troubleOfMissing } from './probe-missing.ts';
import type { KnownServer, ProbeAnswer, ProberOptions, RemoteProber } from './probe-types.ts';
import { chooseRef, chosenRef, type Wanted } from './probe-wanted.ts';
import { createAdvertisementReader, createLsRefsReader, type Ref, type RefReader } from './ref-reader.ts';
import { isTrustedHost, type RemoteUrl } from './remote-url.ts';

/** A git client by its first word: some servers answer others with a page. */
const USER_AGENT = 'git/pullyu';
const ADVERTISEMENT = 'application/x-git-upload-pack-advertisement';
const QUESTION = 'application/x-git-upload-pack-request';
const ANSWER = 'application/x-git-upload-pack-result';

/** A redirect may have been a mistake, or an attack: after so many answers the URL that was written down is asked again. */
const REDIRECT_KEPT = 16;

/** When only the place is to be found. */
const NO_REF: Asked = { refPrefix: 'refs/heads/', peel: false, filter: { first: 1 } };

/** What is asked about refs: of a probe, or of a listing. */
export type Asked = Pick<Wanted, 'refPrefix' | 'peel' | 'filter'> & {
  /** Instead of `refPrefix`. */
  readonly prefixes?: readonly string[];
};

export interface HttpRemote extends RemoteProber {
  /** The refs that are asked for; none is an answer. The same object for the same question makes it cheaper. */
  list(asked: Asked, signal?: AbortSignal): Promise<Result<{ refs: readonly Ref[]; at: Place }>>;
  /** Any other question, put to where the repository is found. */
  ask<R extends AnswerReader>(
    make: (at: Place) => Question<R>,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<Result<R>>;
}

type RemoteRepo = Pick<RepoConfig, 'remotes' | 'access'>;

export function createHttpProber(repo: RemoteRepo, original: RemoteUrl, o: ProberOptions): HttpRemote {
  const exchange = createExchange(repo, o);
  let place: Place | null = null;
  let prepared: Prepared | null = null;
  /** By question: the commit that we last found here. */
  const before = new Map<string, CommitId>();
  /** Answers of a place that a redirect led to. */
  let elsewhere = 0;
  let told = o.known?.[original.text] ?? null;

  async function probe(wanted: Wanted, signal?: AbortSignal): Promise<Result<ProbeAnswer>> {
    const time = begin(o.limits.probeTimeoutMs, signal);
    const read = await readRefs(wanted, time);
    const answer = read.ok ? await conclude(read.value.at, wanted, read.value.reader, time) : read;
    if (answer.ok) before.set(wanted.key, answer.value.commit);
    return end(answer);
  }

  async function list(
    asked: Asked,
    signal?: AbortSignal,
  ): Promise<Result<{ refs: readonly Ref[]; at: Place }>> {
    const read = await readRefs(asked, begin(o.limits.probeTimeoutMs, signal));
    return end(read.ok ? ok({ refs: read.value.reader.refs, at: read.value.at }) : read);
  }

  async function askAnything<R extends AnswerReader>(
    make: (at: Place) => Question<R>,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<Result<R>> {
    const time = begin(timeoutMs, signal);
    if (told !== null) await believe(told);
    if (place !== null && place.version !== null) {
      const reading = await exchange(place, make(place), time);
      if ('reader' in reading) return end(ok(reading.reader));
      if (!reading.isUnclear) return end(fail(reading.trouble));
      if (place.url !== original) leave();
    }
    const found = await discover(NO_REF, time);
    if (!found.ok) return end(found);
    const reading = await exchange(found.value.at, make(found.value.at), time);
    return end('reader' in reading ? ok(reading.reader) : fail(reading.trouble));
  }

  function begin(timeoutMs: number, signal: AbortSignal | undefined): Time {
    if (place !== null && place.stamp !== stampOfPlace(repo, place.url, o)) leave();
    return { deadline: monotonicMs() + timeoutMs, signal };
  }

  function end<T>(answer: Result<T>): Result<T> {
    // What a redirect led to may be gone, or never was meant: the URL that was written down is where we begin again.
    const isElsewhere = place !== null && place.url !== original;
    if (isElsewhere && (!answer.ok || ++elsewhere % REDIRECT_KEPT === 0)) leave();
    // Whoever answers so may not be whom the name means any more: a kept connection would go on asking him.
    else if (!answer.ok) place?.connection.close();
    return answer;
  }

  async function readRefs(asked: Asked, time: Time): Promise<Result<{ at: Place; reader: RefReader }>> {
    if (told !== null) await believe(told);
    if (place?.version === 2) {
      const at = place;
      const reading = await ask(at, asked, time);
      if ('reader' in reading) return ok({ at, reader: reading.reader });
      if (!reading.isUnclear) return fail(reading.trouble);
      if (at.url !== original) leave();
    }
    const found = await discover(asked, time);
    if (!found.ok || found.value.at.version === 0) return found;
    const { at } = found.value;
    const reading = await ask(at, asked, time);
    return 'reader' in reading ? ok({ at, reader: reading.reader }) : fail(reading.trouble);
  }

  /** What another process found out is as good as our own discovery, until an answer is not understood. */
  async function believe({ version, objectFormat }: KnownServer): Promise<void> {
    told = null;
    const opened = await enter(original);
    if (opened.ok) Object.assign(opened.value, { version, objectFormat });
  }

  /** GET info/refs, following redirects, until it is known where the repository is and what is spoken there. */
  async function discover(wanted: Asked, time: Time): Promise<Result<{ at: Place; reader: RefReader }>> {
    let next: RemoteUrl = place?.url ?? original;
    for (let redirects = 0; ; redirects++) {
      const opened = await enter(next);
      if (!opened.ok) return opened;
      const at = opened.value;
      const reading = await exchange(at, advertisement(at, wanted), time);
      if ('reader' in reading) {
        const { reader } = reading;
        if (reader.version === 2 && !reader.knowsLsRefs) {
          return fail(wrongAnswer(at, 'protocol v2 without its command ls-refs', 'not-git'));
        }
        at.version = reader.version;
        at.objectFormat = reader.objectFormat;
        at.knowsFilter = reader.knowsFilter;
        return ok({ at, reader });
      }
      if (!isRedirect(reading.status ?? 0)) return fail(troubleAt(at, reading));
      if (redirects >= REDIRECTS_MAX) return fail(tooManyRedirects(original));
      const decided = decideRedirect(at.url, reading.location);
      if (!decided.ok) return decided;
      next = decided.value;
    }
  }

  function ask(at: Place, wanted: Asked, time: Time): Promise<Reading> {
    if (prepared?.at !== at || prepared.wanted !== wanted) prepared = prepare(at, wanted);
    return exchange(at, prepared, time);
  }

  async function conclude(
    at: Place,
    wanted: Wanted,
    reader: RefReader,
    time: Time,
  ): Promise<Result<ProbeAnswer>> {
    const { refs } = reader;
    const chosen = wanted.tagPattern === null ? chosenRef(wanted, refs[0]) : await chooseRef(wanted, refs);
    if (!chosen.ok) return fail({ ...chosen.trouble, remote: at.url.text });
    if (chosen.value !== null) return ok({ ...chosen.value, url: at.url.text });
    // Is anything there, and what? Only in trouble, so it may cost a second request.
    const around: Reading = at.version === 2 ? await exchange(at, lookAround(at), time) : { reader };
    if ('trouble' in around) return fail(around.trouble);
    const seen = { others: around.reader.refs, sawRefs: around.reader.sawRefs };
    return fail(troubleOfMissing(wanted, at.url.text, { ...seen, before: before.get(wanted.key) ?? null }));
  }

  /** Where a redirect led to, somebody may want to know who we are: he is not told. */
  function troubleAt(at: Place, { status, trouble: plain }: NoReading): Trouble {
    const isRefusal = status === 401 || status === 403 || status === 404;
    if (!isRefusal || isTrustedHost(repo.remotes, at.url)) return plain;
    const found = `a redirect to ${at.url.text}, which answers status ${status} to a visitor without credentials`;
    return trouble('redirected', `expected git at ${original.text}, found ${found}`, {
      hint: 'credentials are never taken along to another host; write the new URL into the remotes of the repo',
      remote: original.text,
    });
  }

  async function enter(url: RemoteUrl): Promise<Result<Place>> {
    if (place !== null && place.url === url) return ok(place);
    const opened = await openPlace(repo, url, place, o);
    place = opened.ok ? opened.value : null;
    prepared = null;
    return opened;
  }

  function leave(): void {
    place?.connection.close();
    place = null;
    prepared = null;
  }

  function known(): KnownServer | null {
    if (place === null || place.version !== 2 || place.url !== original) return told;
    return { version: 2, objectFormat: place.objectFormat };
  }

  return { probe, list, ask: askAnything, known, close: leave };
}

function tooManyRedirects(original: RemoteUrl): Trouble {
  return trouble(
    'redirected',
    `expected git at ${original.text}, found more than ${REDIRECTS_MAX} redirects`,
    {
      hint: 'check the URL and the rules of the server: they may send us in a circle',
      remote: original.text,
    },
  );
}

interface Prepared {
  readonly at: Place;
  readonly wanted: Asked;
  readonly contentType: string;
  readonly createReader: () => RefReader;
  readonly request: (authorization: string | null) => HttpRequest;
}

/** The question of an idle probe, made once: only the credential may change. */
function prepare(at: Place, wanted: Asked): Prepared {
  const body = formatLsRefs({
    prefixes: wanted.prefixes ?? [wanted.refPrefix],
    peel: wanted.peel,
    objectFormat: at.objectFormat,
  });
  let last: { authorization: string | null; request: HttpRequest } | null = null;
  return {
    at,
    wanted,
    contentType: ANSWER,
    createReader: () => createLsRefsReader(wanted.filter),
    request(authorization) {
      if (last === null || last.authorization !== authorization) {
        last = { authorization, request: lsRefsRequest(at, authorization, body) };
      }
      return last.request;
    },
  };
}

function advertisement(at: Place, wanted: Asked) {
  return {
    contentType: ADVERTISEMENT,
    createReader: () => createAdvertisementReader(wanted.filter),
    request: (authorization: string | null): HttpRequest => ({
      method: 'GET',
      path: at.path + INFO_REFS,
      headers: [...commonHeaders(authorization), 'Accept', '*/*'],
      body: null,
    }),
  };
}

function lookAround(at: Place) {
  const prefixes = ['HEAD', 'refs/'];
  const body = formatLsRefs({ prefixes, symrefs: true, objectFormat: at.objectFormat });
  return {
    contentType: ANSWER,
    createReader: () => createLsRefsReader({ first: 8 }),
    request: (authorization: string | null) => lsRefsRequest(at, authorization, body),
  };
}

function lsRefsRequest(at: Place, authorization: string | null, body: string): HttpRequest {
  return {
    method: 'POST',
    path: `${at.path}/git-upload-pack`,
    headers: [...commonHeaders(authorization), 'Content-Type', QUESTION, 'Accept', ANSWER],
    body,
  };
}

export function commonHeaders(authorization: string | null): string[] {
  const headers = ['User-Agent', USER_AGENT, 'Git-Protocol', 'version=2'];
  return authorization === null ? headers : [...headers, 'Authorization', authorization];
}
