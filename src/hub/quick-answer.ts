/** What idle hosts ask all day long, answered from memory and without waiting. Anything else takes the long way. */
import type { Access } from './access.ts';
import { FETCH_HEADERS } from './fetch-answer.ts';
import { type HubMirror, refusalOfMirror } from './hub-mirrors.ts';
import { parseProtocolVersion } from './protocol-version.ts';
import type { Repositories } from './repositories.ts';
import { type GitService, parseRoute } from './route.ts';

/** A request as far as it can be answered at once. */
export interface Question {
  readonly method: string;
  /** Path and query as they stand in the request line. */
  readonly target: string;
  readonly authorization: string | null;
  readonly gitProtocol: string | null;
  readonly contentType: string | null;
  /** Unpacked; null: there is none. */
  readonly body: Buffer | null;
}

export interface QuickAnswer {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface QuickParts {
  readonly access: Access;
  readonly repositories: Repositories;
  readonly mirrors: ReadonlyMap<string, HubMirror>;
}

/** null: the long way has to answer, also with a refusal. */
export function answerQuickly(q: Question, parts: QuickParts): QuickAnswer | null {
  const route = parseRoute(q.method, q.target);
  if (route.kind !== 'advertise' && route.kind !== 'talk') return null;
  const { repository: name, service } = route;
  if (!parts.access.isAllowed(q.authorization, name, service)) return null;
  if (refusalOfMirror(parts.mirrors.get(name), service) !== null) return null;
  const repository = parts.repositories.find(name);
  if (repository === null || typeof repository === 'string') return null;
  const version = parseProtocolVersion(q.gitProtocol);
  if (route.kind === 'advertise') {
    const body = repository.advertisement(service, version);
    return body && { headers: advertisementHeaders(service), body };
  }
  const isQuestion = service === 'git-upload-pack' && version === 2 && q.contentType === requestType(service);
  if (!isQuestion || q.body === null) return null;
  const body = repository.lsRefs(q.body);
  return typeof body === 'string' ? null : { headers: FETCH_HEADERS, body };
}

/** The content type of what is sent to a service. */
export function requestType(service: GitService): string {
  return `application/x-${service}-request`;
}

export function advertisementHeaders(service: GitService): Readonly<Record<string, string>> {
  return { 'Content-Type': `application/x-${service}-advertisement`, 'Cache-Control': 'no-cache' };
}
