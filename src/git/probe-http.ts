/**
 * Probes over http(s). First contact: GET info/refs, which also tells where the repository is and which protocol is
 * spoken. From then on one POST of `ls-refs` per probe on a kept connection; when its answer is not understood, the GET
 * is done again. A server of protocol v0 gets the GET each time.
 */
import type { CommitId } from '../model/ids.ts';
import type { RepoConfig } from '../model/repo.ts';
import { fail, ok, type Result, type Trouble, type TroubleCode, trouble } from '../model/trouble.ts';
import { caFile } from './access.ts';
import { stampOfFile } from './file-stamp.ts';
import { createAuthorization } from './http-authorization.ts';
import {
  type HttpAnswer,
  type HttpConnection,
  type HttpRequest,
  openHttpConnection,
  type TlsFiles,
} from './http-connection.ts';
import { decideRedirect, INFO_REFS, isRedirect, REDIRECTS_MAX } from './http-redirect.ts';
import { type HttpContext, quoteBody, troubleFromFailure, troubleFromStatus } from './http-trouble.ts';
import { createAdvertisementReader, createLsRefsReader, formatLsRefs, type RefReader } from './ls-refs.ts';
import { printable } from './printable.ts';
import { troubleOfMissing } from './probe-missing.ts';
import type { ProbeAnswer, ProberOptions, RemoteProber } from './probe-types.ts';
import { chooseRef, type Wanted } from './probe-wanted.ts';
import { decideProxy, type ProxySettings } from './proxy.ts';
import { isTrustedHost, type RemoteUrl } from './remote-url.ts';

/** A git client by its first word: some servers answer others with a page. */
const USER_AGENT = 'git/pullyu';
const ADVERTISEMENT = 'application/x-git-upload-pack-advertisement';
const ANSWER = 'application/x-git-upload-pack-result';

/** Where the repository is found, and what is known about the server there. */
interface Place {
  readonly url: RemoteUrl;
  readonly connection: HttpConnection;
  readonly proxy: ProxySettings | null;
  /** Size, time and number of the TLS files that the connection was opened with. */
  readonly stamp: string;
  /** null: not asked yet, or no longer sure. */
  version: 0 | 2 | null;
  objectFormat: string | null;
}

interface Time {
  /** Of `performance.now()`. */
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
}

/** An answer that was read, or why not. `isUnclear`: asking from the start may give another one. */
type Reading = { reader: RefReader } | { trouble: Trouble; isUnclear: boolean; status?: number };

export function createHttpProber(repo: RepoConfig, original: RemoteUrl, o: ProberOptions): RemoteProber {
  const authorization = createAuthorization(repo, o.env);
  const timeoutMs = o.limits.probeTimeoutMs;
  let place: Place | null = null;
  let prepared: { wanted: Wanted; place: Place; header: string | null; request: HttpRequest } | null = null;
  /** By question: the commit that we last found here. */
  const before = new Map<string, CommitId>();

  async function probe(wanted: Wanted, signal?: AbortSignal): Promise<Result<ProbeAnswer>> {
    const time = { deadline: performance.now() + timeoutMs, signal };
    if (place !== null && place.stamp !== stampOf(place.url)) leave();
    const answer = await answerFor(wanted, time);
    if (answer.ok) before.set(wanted.key, answer.value.commit);
    // What a redirect led to may be gone; the URL that was written down is where we begin again.
    else if (place !== null && place.url !== original) leave();
    return answer;
  }

  async function answerFor(wanted: Wanted, time: Time): Promise<Result<ProbeAnswer>> {
    if (place?.version === 2) {
      const reading = await ask(place, wanted, time);
      if ('reader' in reading) return conclude(place, wanted, reading.reader, time);
      if (!reading.isUnclear) return fail(reading.trouble);
      if (place.url !== original) leave();
    }
    const found = await discover(wanted, time);
    if (!found.ok) return found;
    const at = found.value.place;
    if (at.version === 0) return conclude(at, wanted, found.value.reader, time);
    const reading = await ask(at, wanted, time);
    return 'reader' in reading ? conclude(at, wanted, reading.reader, time) : fail(reading.trouble);
  }

  /** GET info/refs, following redirects, until it is known where the repository is and what is spoken there. */
  async function discover(wanted: Wanted, time: Time): Promise<Result<{ place: Place; reader: RefReader }>> {
    let next: RemoteUrl = place?.url ?? original;
    for (let redirects = 0; ; redirects++) {
      const opened = await openAt(next);
      if (!opened.ok) return opened;
      const at = opened.value;
      const make = (header: string | null): HttpRequest => ({
        method: 'GET',
        path: pathOf(at.url) + INFO_REFS,
        headers: [...commonHeaders(header), 'Accept', '*/*', 'Accept-Encoding', 'gzip'],
        body: null,
      });
      const reading = await exchange(
        at,
        make,
        () => createAdvertisementReader(wanted.filter),
        ADVERTISEMENT,
        time,
      );
      if ('reader' in reading) {
        const { reader } = reading;
        if (reader.version === 2 && !reader.knowsLsRefs)
          return fail(wrong(at, 'protocol v2 without ls-refs'));
        at.version = reader.version;
        at.objectFormat = reader.objectFormat;
        return ok({ place: at, reader });
      }
      if (!('location' in reading)) return fail(ofRedirected(at, reading));
      if (redirects >= REDIRECTS_MAX) return fail(tooManyRedirects());
      const decided = decideRedirect(at.url, reading.location);
      if (!decided.ok) return decided;
      next = decided.value;
    }
  }

  function ask(at: Place, wanted: Wanted, time: Time): Promise<Reading> {
    const make = (header: string | null): HttpRequest => {
      if (prepared?.wanted !== wanted || prepared.place !== at || prepared.header !== header) {
        const { refPrefix, peel } = wanted;
        const body = formatLsRefs({ prefixes: [refPrefix], peel, objectFormat: at.objectFormat });
        prepared = { wanted, place: at, header, request: lsRefsRequest(at, header, body) };
      }
      return prepared.request;
    };
    return exchange(at, make, () => createLsRefsReader(wanted.filter), ANSWER, time);
  }

  /** One request, with the credential that we have; after a 401 once more with the one that a helper gives. */
  async function exchange(
    at: Place,
    make: (header: string | null) => HttpRequest,
    createReader: () => RefReader,
    contentType: string,
    time: Time,
  ): Promise<Reading & { location?: string | undefined }> {
    const header = authorization.headerFor(at.url);
    if (!header.ok) return { trouble: { ...header.trouble, remote: at.url.text }, isUnclear: false };
    const first = await send(
      at,
      make(header.value),
      createReader(),
      contentType,
      time,
      header.value !== null,
    );
    if (!('status' in first) || first.status !== 401) return first;
    const timeLeft = { timeoutMs: time.deadline - performance.now(), signal: time.signal };
    const renewed = await authorization.renew(at.url, timeLeft);
    if (!renewed.ok) return { trouble: renewed.trouble, isUnclear: false };
    return renewed.value === null
      ? first
      : send(at, make(renewed.value), createReader(), contentType, time, true);
  }

  async function send(
    at: Place,
    request: HttpRequest,
    reader: RefReader,
    contentType: string,
    time: Time,
    hadCredential: boolean,
  ): Promise<Reading & { location?: string | undefined }> {
    let start = '';
    let bytes = 0;
    const outcome = await at.connection.send(request, {
      deadline: time.deadline,
      signal: time.signal,
      onBody: (chunk) => {
        if (bytes === 0) start = chunk.toString('latin1', 0, 512);
        bytes += chunk.length;
        reader.push(chunk);
        return reader.isDone;
      },
    });
    const context: HttpContext = {
      remote: at.url.text,
      place: at.proxy === null ? at.url.text : `${at.url.text} through the proxy ${at.proxy.url}`,
      timeoutMs,
      now: o.now?.() ?? Date.now(),
      hadCredential,
    };
    if ('failure' in outcome)
      return { trouble: troubleFromFailure(outcome.failure, context), isUnclear: false };
    if (isRedirect(outcome.status)) {
      const problem = wrong(at, `a redirect (status ${outcome.status})`, 'redirected');
      return { trouble: problem, isUnclear: true, location: outcome.headers.location };
    }
    if (outcome.status !== 200) {
      const problem = troubleFromStatus(outcome.status, outcome.headers, outcome.said, context);
      const isUnclear = problem.code === 'not-found' || problem.code === 'not-git';
      return { trouble: problem, isUnclear, status: outcome.status };
    }
    const problem = troubleOf200(at, outcome, reader, contentType, start);
    return problem === null ? { reader } : { trouble: problem, isUnclear: true };
  }

  async function conclude(
    at: Place,
    wanted: Wanted,
    reader: RefReader,
    time: Time,
  ): Promise<Result<ProbeAnswer>> {
    const chosen = await chooseRef(wanted, reader.refs);
    if (!chosen.ok) return fail({ ...chosen.trouble, remote: at.url.text });
    if (chosen.value !== null) return ok({ ...chosen.value, url: at.url.text });
    const seen = at.version === 2 ? await lookAround(at, time) : reader;
    if ('trouble' in seen) return fail(seen.trouble);
    const about = { others: seen.refs, sawRefs: seen.sawRefs, before: before.get(wanted.key) ?? null };
    return fail(troubleOfMissing(wanted, at.url.text, about));
  }

  /** What we want is not there: is anything, and what? Only in trouble, so it may cost a second request. */
  async function lookAround(at: Place, time: Time): Promise<RefReader | { trouble: Trouble }> {
    const prefixes = ['HEAD', 'refs/heads/', 'refs/tags/', 'refs/'];
    const body = formatLsRefs({ prefixes, symrefs: true, objectFormat: at.objectFormat });
    const make = (header: string | null) => lsRefsRequest(at, header, body);
    const reading = await exchange(at, make, () => createLsRefsReader({ first: 8 }), ANSWER, time);
    return 'reader' in reading ? reading.reader : reading;
  }

  /** Of a place that a redirect led to, which wants to know who we are: it is not told. */
  function ofRedirected(at: Place, reading: { trouble: Trouble; status?: number }): Trouble {
    const isRefusal = reading.status === 401 || reading.status === 403 || reading.status === 404;
    if (!isRefusal || isTrustedHost(repo.remotes, at.url)) return reading.trouble;
    return trouble(
      'redirected',
      `expected git at ${original.text}, found a redirect to ${at.url.text}, which answers status ${reading.status} to a visitor without credentials`,
      {
        hint: 'credentials are never taken along to another host; write the new URL into the remotes of the repo',
        remote: original.text,
      },
    );
  }

  function tooManyRedirects(): Trouble {
    return trouble(
      'redirected',
      `expected git at ${original.text}, found more than ${REDIRECTS_MAX} redirects`,
      {
        hint: 'check the URL and the rules of the server: they may send us in a circle',
        remote: original.text,
      },
    );
  }

  async function openAt(url: RemoteUrl): Promise<Result<Place>> {
    if (place !== null && place.url === url) return ok(place);
    const files = tlsFiles(url);
    const proxy = decideProxy(url, repo.access.proxy, o.env);
    try {
      const connection =
        place !== null && isSameOrigin(place.url, url)
          ? place.connection
          : await openHttpConnection(url as RemoteUrl & { protocol: 'https' }, {
              proxy,
              tls: files,
              timeoutMs,
            });
      if (place !== null && place.connection !== connection) leave();
      place = { url, connection, proxy, stamp: stampOf(url), version: null, objectFormat: null };
      return ok(place);
    } catch (error) {
      return fail(ofTlsFiles(files, error, url));
    }
  }

  function leave(): void {
    place?.connection.close();
    place = null;
    prepared = null;
  }

  /** A client certificate proves who we are: it goes where credentials go. */
  function tlsFiles(url: RemoteUrl): TlsFiles {
    const isTrusted = isTrustedHost(repo.remotes, url);
    const { tlsCert, tlsKey } = repo.access;
    return {
      ca: caFile(repo.access, o.env),
      cert: isTrusted ? tlsCert : null,
      key: isTrusted ? tlsKey : null,
    };
  }

  const files = [caFile(repo.access, o.env), repo.access.tlsCert, repo.access.tlsKey].filter(
    (f) => f !== null,
  );
  function stampOf(url: RemoteUrl): string {
    return url.protocol === 'https' && files.length > 0 ? files.map(stampOfFile).join(' ') : '';
  }

  return { probe, close: leave };
}

function commonHeaders(header: string | null): string[] {
  const headers = ['User-Agent', USER_AGENT, 'Git-Protocol', 'version=2'];
  return header === null ? headers : [...headers, 'Authorization', header];
}

function lsRefsRequest(at: Place, header: string | null, body: string): HttpRequest {
  return {
    method: 'POST',
    path: `${pathOf(at.url)}/git-upload-pack`,
    headers: [
      ...commonHeaders(header),
      'Content-Type',
      'application/x-git-upload-pack-request',
      'Accept',
      ANSWER,
    ],
    body,
  };
}

/** A 200 that is not a whole answer of git: says what it is instead; null when all is well. */
function troubleOf200(
  at: Place,
  answer: HttpAnswer,
  reader: RefReader,
  contentType: string,
  start: string,
): Trouble | null {
  if (start === '') return wrong(at, 'an empty body', 'empty-answer');
  const found = answer.headers['content-type'] ?? 'no content type';
  if (!found.startsWith(contentType)) {
    if (/^[0-9a-f]{40,64}\trefs\//.test(start)) {
      return wrong(
        at,
        'a folder of files ("dumb" HTTP)',
        'not-git',
        'serve it with `git http-backend`, or use https of a git server',
      );
    }
    return wrong(at, `${printable(found, 60)}${quoteBody(start)}`, 'not-git');
  }
  if (reader.error !== null) {
    return wrong(
      at,
      `the message "${reader.error}"`,
      /not (exported|found)|denied/i.test(reader.error) ? 'not-found' : 'git-failed',
    );
  }
  if (reader.broken !== null) return wrong(at, `"${reader.broken}"`);
  if (!reader.isComplete) return wrong(at, 'the beginning of one', 'empty-answer');
  return null;
}

function wrong(at: Place, found: string, code: TroubleCode = 'not-git', hint?: string): Trouble {
  const hints: Partial<Record<TroubleCode, string>> = {
    'not-git':
      'check the URL: it must be one that `git clone` accepts; a page for people is a login or an error',
    'not-found': 'check the URL and the rights of this host',
  };
  return trouble(code, `expected an answer of git from ${at.url.text}, found ${found}`, {
    hint: hint ?? hints[code] ?? null,
    remote: at.url.text,
  });
}

function ofTlsFiles(files: TlsFiles, error: unknown, url: RemoteUrl): Trouble {
  const names = [files.ca, files.cert, files.key].filter((file) => file !== null);
  const found = error instanceof Error ? printable(error.message) : 'an unknown error';
  return trouble(
    'tls',
    `expected usable TLS files (${names.join(', ') || 'none are named'}), found: ${found}`,
    {
      hint: 'check access.tlsCa, access.tlsCert and access.tlsKey: PEM files that the agent may read',
      remote: url.text,
    },
  );
}

function pathOf(url: RemoteUrl): string {
  return url.path.replace(/\/+$/, '');
}

function isSameOrigin(a: RemoteUrl, b: RemoteUrl): boolean {
  return a.protocol === b.protocol && a.host === b.host && a.port === b.port;
}
