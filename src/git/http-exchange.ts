/** One question to a server of git over http(s): sent with what proves us, its answer read or named. */

import { printable } from '../model/printable.ts';
import type { RepoConfig } from '../model/repo.ts';
import { type Trouble, type TroubleCode, trouble } from '../model/trouble.ts';
import { monotonicMs } from '../system/clock.ts';
import type { AnswerReader } from './answer-reader.ts';
import { type Authorization, createAuthorization } from './http-authorization.ts';
import type { Place } from './http-place.ts';
import { isRedirect } from './http-redirect.ts';
import { type HttpAnswer, type HttpRequest, rawHeader } from './http-request.ts';
import { quoteBody, troubleFromFailure, troubleFromStatus } from './http-trouble.ts';
import type { ProberOptions } from './probe-types.ts';
import type { RefReader } from './ref-reader.ts';

export interface Question<R extends AnswerReader = RefReader> {
  /** @param authorization Value of that header. The same request object for the same value, when it can be. */
  readonly request: (authorization: string | null) => HttpRequest;
  /** What the answer must be labelled as. */
  readonly contentType: string;
  readonly createReader: () => R;
}

export interface Time {
  /** Of `monotonicMs()`. */
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
}

export interface NoReading {
  readonly trouble: Trouble;
  /** Asking from the start may give another answer: the repository may have moved, the server been changed. */
  readonly isUnclear: boolean;
  /** Of an answer that was no 200. */
  readonly status?: number;
  readonly location?: string | undefined;
}

export type Reading<R extends AnswerReader = RefReader> = { readonly reader: R } | NoReading;

export type Exchange = <R extends AnswerReader>(
  at: Place,
  question: Question<R>,
  time: Time,
) => Promise<Reading<R>>;

export function createExchange(repo: Pick<RepoConfig, 'remotes' | 'access'>, o: ProberOptions): Exchange {
  const authorization: Authorization = createAuthorization(repo, o.env);

  async function send<R extends AnswerReader>(
    at: Place,
    question: Question<R>,
    time: Time,
    header: string | null,
  ): Promise<Reading<R>> {
    const reader = question.createReader();
    let first: Buffer | null = null;
    const outcome = await at.connection.send(question.request(header), {
      deadline: time.deadline,
      signal: time.signal,
      onBody(chunk) {
        first ??= chunk;
        reader.push(chunk);
        return reader.isDone;
      },
    });
    if ('status' in outcome && outcome.status === 200) {
      const problem = troubleOf200(at, outcome, reader, question.contentType, { first, header });
      return problem === null ? { reader } : { trouble: problem, isUnclear: true };
    }
    const context = {
      remote: at.url.text,
      place: at.proxy === null ? at.url.text : `${at.url.text} through the proxy ${at.proxy.url}`,
      timeoutMs: o.limits.probeTimeoutMs,
      now: o.now?.() ?? Date.now(),
      hadCredential: header !== null,
    };
    if ('failure' in outcome) {
      return { trouble: troubleFromFailure(outcome.failure, context), isUnclear: false };
    }
    const { status } = outcome;
    if (isRedirect(status)) {
      const problem = wrongAnswer(at, `a redirect (status ${status})`, 'redirected');
      return {
        trouble: problem,
        isUnclear: true,
        status,
        location: rawHeader(outcome.rawHeaders, 'location'),
      };
    }
    const retryAfter = rawHeader(outcome.rawHeaders, 'retry-after');
    const problem = troubleFromStatus(status, retryAfter, redacted(outcome.said, header), context);
    return {
      trouble: problem,
      isUnclear: problem.code === 'not-found' || problem.code === 'not-git',
      status,
    };
  }

  return async function exchange(at, question, time) {
    const header = authorization.headerFor(at.url);
    if (!header.ok) return { trouble: { ...header.trouble, remote: at.url.text }, isUnclear: false };
    const reading = await send(at, question, time, header.value);
    if (!('status' in reading) || reading.status !== 401) return reading;
    const left = { timeoutMs: time.deadline - monotonicMs(), signal: time.signal };
    const renewed = await authorization.renew(at.url, left);
    if (!renewed.ok) return { trouble: { ...renewed.trouble, remote: at.url.text }, isUnclear: false };
    return renewed.value === null ? reading : send(at, question, time, renewed.value);
  };
}

/** A 200 that is not a whole answer of git: says what it is instead; null when all is well. */
function troubleOf200(
  at: Place,
  answer: HttpAnswer,
  reader: AnswerReader,
  contentType: string,
  { first, header }: { first: Buffer | null; header: string | null },
): Trouble | null {
  if (first === null) return wrongAnswer(at, 'an empty body', 'empty-answer');
  const found = rawHeader(answer.rawHeaders, 'content-type') ?? 'no content type';
  const start = () => redacted(first.toString('latin1', 0, 1024), header);
  if (!found.startsWith(contentType)) return notOurType(at, found, start());
  if (reader.error !== null) {
    const code = /not (exported|found)|denied/i.test(reader.error) ? 'not-found' : 'git-failed';
    return wrongAnswer(at, `the message "${redacted(reader.error, header)}"`, code);
  }
  if (reader.broken !== null) return wrongAnswer(at, `something else${quoteBody(start())}`, 'not-git');
  return reader.isComplete ? null : wrongAnswer(at, 'only the beginning of one', 'empty-answer');
}

function notOurType(at: Place, found: string, start: string): Trouble {
  if (/^[0-9a-f]{40,64}\trefs\//.test(start)) {
    const hint = 'serve the repository with `git http-backend` or any git server';
    return wrongAnswer(at, 'a folder of plain files ("dumb" HTTP)', 'not-git', hint);
  }
  return wrongAnswer(at, `${printable(found, 60)}${quoteBody(start)}`, 'not-git');
}

/** A server may repeat what it was sent. */
function redacted(said: string, header: string | null): string {
  if (header === null) return said;
  const encoded = header.slice('Basic '.length);
  const pair = Buffer.from(encoded, 'base64').toString();
  const password = pair.slice(pair.indexOf(':') + 1);
  return [encoded, password].filter(Boolean).reduce((text, secret) => text.replaceAll(secret, '***'), said);
}

const HINTS: Partial<Record<TroubleCode, string>> = {
  'not-git':
    'check the URL: it must be one that `git clone` accepts; a page for people is a login or an error',
  'not-found': 'check the URL and the rights of this host',
};

export function wrongAnswer(at: Place, found: string, code: TroubleCode, hint?: string): Trouble {
  return trouble(code, `expected an answer of git from ${at.url.text}, found ${found}`, {
    hint: hint ?? HINTS[code] ?? null,
    remote: at.url.text,
  });
}
