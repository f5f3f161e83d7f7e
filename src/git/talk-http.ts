/** A talk over http(s): one POST for each thing, on a kept connection. A push needs no greeting, because it says itself what must be. */
import { ok } from '../model/trouble.ts';
import type { HttpRequest } from './http-request.ts';
import type { ObjectFormat } from './objects.ts';
import { type Asked, commonHeaders, createHttpProber } from './probe-http.ts';
import { createReportReader, formatPush } from './receive-pack.ts';
import type { RefFilter } from './ref-reader.ts';
import type { RemoteUrl } from './remote-url.ts';
import type { Line, TalkOptions } from './talk.ts';
import { createPackReader, formatFetch } from './upload-pack.ts';

export function createHttpLine(url: RemoteUrl, o: TalkOptions): Line {
  const remote = createHttpProber({ remotes: [url.text], access: o.access }, url, o);
  const asked = new Map<string, Asked>();

  function askedFor(prefixes: readonly string[]): Asked {
    const key = prefixes.join('\n');
    const known = asked.get(key);
    if (known !== undefined) return known;
    const made = { refPrefix: '', prefixes, peel: false, filter: filterFor(prefixes) };
    asked.set(key, made);
    return made;
  }

  return {
    async list(prefixes, signal) {
      const listed = await remote.list(askedFor(prefixes), signal);
      if (!listed.ok) return listed;
      const { refs, at } = listed.value;
      return ok({ refs: refs.filter(isBelow(prefixes)), format: formatOf(at.objectFormat) });
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
