/** A talk over http(s): one POST for each thing, on a kept connection. A push needs no greeting, because it says itself what must be. */
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import type { HttpRequest } from './http-request.ts';
import { formatLsRefs } from './ls-refs.ts';
import type { ObjectFormat } from './objects.ts';
import { type Asked, commonHeaders, createHttpProber } from './probe-http.ts';
import { createReportReader, formatPush } from './receive-pack.ts';
import { createBodyReader, type KeptAnswer, keepAnswer, movedRefs } from './ref-listing.ts';
import { createLsRefsReader, type RefFilter, type RefReader } from './ref-reader.ts';
import type { RemoteUrl } from './remote-url.ts';
import type { Line, Listing, TalkOptions } from './talk.ts';
import { createPackReader, formatFetch } from './upload-pack.ts';

interface ListQuestion {
  readonly asked: Asked;
  readonly isLong: boolean;
  speaksV2: boolean;
  serial: number;
  before: KeptAnswer | null;
}

function readAll(body: Buffer): RefReader {
  const reader = createLsRefsReader({ prefix: 'refs/heads/' });
  reader.push(body);
  return reader;
}

export function createHttpLine(url: RemoteUrl, o: TalkOptions): Line {
  const remote = createHttpProber({ remotes: [url.text], access: o.access }, url, o);
  const questions = new Map<string, ListQuestion>();

  function questionFor(prefixes: readonly string[]): ListQuestion {
    const key = prefixes.join('\n');
    const known = questions.get(key);
    if (known !== undefined) return known;
    const asked = { refPrefix: '', prefixes, peel: false, filter: filterFor(prefixes) };
    const made = { asked, isLong: !('exact' in asked.filter), speaksV2: false, serial: 0, before: null };
    questions.set(key, made);
    return made;
  }

  /** Compared with the answer before, and read only when that does not tell all. */
  async function listAgain(
    question: ListQuestion,
    prefixes: readonly string[],
    signal?: AbortSignal,
  ): Promise<Result<Listing>> {
    let format: ObjectFormat = 'sha1';
    const answer = await remote.ask(
      (at) => {
        format = formatOf(at.objectFormat);
        const body = formatLsRefs({ prefixes, objectFormat: at.objectFormat });
        return {
          contentType: 'application/x-git-upload-pack-result',
          createReader: createBodyReader,
          request: post(`${at.path}/git-upload-pack`, 'upload-pack', body, 2),
        };
      },
      o.limits.probeTimeoutMs,
      signal,
    );
    if (!answer.ok) {
      // It may speak otherwise by now.
      question.speaksV2 = false;
      return answer;
    }
    const { body } = answer.value;
    question.serial += 1;
    const { serial } = question;
    const moved = question.before === null ? null : movedRefs(question.before, body);
    if (moved !== null && question.before !== null) {
      question.before = { body, starts: question.before.starts };
      const all = () => readAll(body).refs.filter(isBelow(prefixes));
      return ok({
        get refs() {
          return all();
        },
        format,
        serial,
        moved: moved.filter(isBelow(prefixes)),
      });
    }
    const reader = readAll(body);
    const wrong = reader.error ?? reader.broken;
    if (wrong !== null || !reader.isComplete) {
      question.before = null;
      const found = wrong === null ? 'only the beginning of one' : `"${wrong}"`;
      return fail(
        trouble(
          wrong === null ? 'empty-answer' : 'not-git',
          `expected a list of refs from ${url.text}, found ${found}`,
          { remote: url.text },
        ),
      );
    }
    question.before = keepAnswer(body);
    return ok({ refs: reader.refs.filter(isBelow(prefixes)), format, serial, moved: null });
  }

  return {
    async list(prefixes, signal) {
      const question = questionFor(prefixes);
      if (question.speaksV2 && question.isLong) return listAgain(question, prefixes, signal);
      const listed = await remote.list(question.asked, signal);
      if (!listed.ok) return listed;
      const { refs, at } = listed.value;
      question.speaksV2 = at.version === 2;
      question.serial += 1;
      const { serial } = question;
      const format = formatOf(at.objectFormat);
      return ok({ refs: refs.filter(isBelow(prefixes)), format, serial, moved: null });
    },
    async fetch(q, maxBytes, signal) {
      let format: ObjectFormat = 'sha1';
      const reader = await remote.ask(
        (at) => {
          format = formatOf(at.objectFormat);
          const version = at.version === 0 ? 0 : 2;
          const blobMaxBytes = at.knowsFilter ? q.blobMaxBytes : null;
          const body = formatFetch({ ...q, blobMaxBytes }, version, format);
          return {
            contentType: 'application/x-git-upload-pack-result',
            createReader: () => createPackReader(maxBytes),
            request: post(`${at.path}/git-upload-pack`, 'upload-pack', body, version),
          };
        },
        o.limits.fetchStallMs,
        signal,
      );
      return reader.ok ? ok({ reader: reader.value, format }) : reader;
    },
    push({ commands, objects, format }, signal) {
      const body = formatPush(commands, objects, format);
      return remote.ask(
        (at) => ({
          contentType: 'application/x-git-receive-pack-result',
          createReader: createReportReader,
          request: post(`${at.path}/git-receive-pack`, 'receive-pack', body, 0),
        }),
        o.limits.fetchStallMs,
        signal,
      );
    },
    close: remote.close,
  };
}

function post(path: string, service: string, body: string | Buffer, version: 0 | 2) {
  return (authorization: string | null): HttpRequest => ({
    method: 'POST',
    path,
    headers: [
      ...commonHeaders(authorization).filter((_, n, all) => version === 2 || !isProtocol(all, n)),
      'Content-Type',
      `application/x-git-${service}-request`,
      'Accept',
      `application/x-git-${service}-result`,
    ],
    body,
  });
}

/** The name or the value of the header that asks for version 2. */
function isProtocol(headers: readonly string[], n: number): boolean {
  return headers[n - (n % 2)] === 'Git-Protocol';
}

/** One whole name is looked for as a probe does it; otherwise as little as possible is left to be filtered here. */
function filterFor(prefixes: readonly string[]): RefFilter {
  const [only] = prefixes;
  if (prefixes.length === 1 && only !== undefined && !only.endsWith('/')) return { exact: only };
  return { prefix: 'refs/heads/' };
}

export function isBelow(prefixes: readonly string[]): (ref: { readonly name: string }) => boolean {
  return ({ name }) =>
    prefixes.some((prefix) => (prefix.endsWith('/') ? name.startsWith(prefix) : name === prefix));
}

export function formatOf(word: string | null): ObjectFormat {
  return word === 'sha256' ? 'sha256' : 'sha1';
}
