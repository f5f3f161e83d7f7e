/**
 * The hub: a git server over HTTP. Requests in, responses out; sockets are the business of `serve.ts`.
 *
 * It keeps no state that git does not hold, but for its tokens. Whatever is in memory can be made again, so any number of hubs may
 * stand over copies of the same repositories.
 */
import { join, relative } from 'node:path';
import { printable } from '../model/printable.ts';
import { type Clock, systemClock } from '../system/clock.ts';
import { parseAuthorization } from './authorization.ts';
import { answerFetch, FETCH_HEADERS } from './fetch-answer.ts';
import { createGuessBrake } from './guess-brake.ts';
import { createHooks } from './hooks.ts';
import { createHousekeeping, type HousekeepingOptions } from './housekeeping.ts';
import { HUB_LIMITS, type HubContext, type HubLimits } from './hub-context.ts';
import type { HubEvent } from './hub-event.ts';
import { createLane, type LaneSize } from './lanes.ts';
import type { Mirror, MirrorState } from './mirror.ts';
import { createPackCache } from './pack-cache.ts';
import { parseProtocolVersion } from './protocol-version.ts';
import { answerPush } from './push-answer.ts';
import { createRepositories } from './repositories.ts';
import type { Repository } from './repository.ts';
import { BodyRefused, readWholeBody } from './request-body.ts';
import { type GitService, parseRoute } from './route.ts';
import { ANSWERS, methodAnswer, type TextAnswer, textAnswer, toResponse } from './text-answer.ts';
import { mayPush, mayRead, recognizeToken, type Token } from './token.ts';
import { createTokenSource, hubFolder } from './token-file.ts';

export interface HubOptions {
  /** Absolute: bare repositories are below it. */
  readonly repos: string;
  /** Everybody may read everything. Nobody ever pushes without a token. */
  readonly anonymousRead: boolean;
  readonly mirrors?: readonly HubMirror[];
  readonly tell?: (event: HubEvent) => void;
  readonly clock?: Clock;
  readonly limits?: HubLimits;
  readonly lanes?: Readonly<Record<'clone' | 'fetch' | 'push', LaneSize>>;
  readonly housekeeping?: Pick<HousekeepingOptions, 'everyMs' | 'looseMax'>;
  readonly cache?: { readonly memoryMaxBytes: number; readonly diskMaxBytes: number };
}

export interface HubMirror extends Pick<Mirror, 'state' | 'poke'> {
  readonly name: string;
  /** A file with the secret of its hooks; null: hooks are refused. */
  readonly hookSecret: string | null;
}

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

export interface Hub {
  /** @param address Of the client, for limits and the log. */
  handle(request: Request, address: string): Promise<Response>;
  /** What idle hosts ask, from memory and without waiting; null: `handle` has to answer. */
  answerAtOnce(question: Question): QuickAnswer | null;
  /** Requests that wait for their answer to begin, and gits. */
  readonly atWork: number;
  /** The refs of this repository were changed by somebody in this process. */
  changed(name: string): void;
  /** Ends what is still at work. */
  close(): Promise<void>;
}

const LANES = {
  clone: { running: 2, waiting: 256, waitMs: 60_000 },
  fetch: { running: 4, waiting: 1_024, waitMs: 30_000 },
  push: { running: 4, waiting: 256, waitMs: 60_000 },
} as const;
const HOUSEKEEPING = { everyMs: 30_000, looseMax: 2_000 };
const CACHE = { memoryMaxBytes: 64 * 2 ** 20, diskMaxBytes: 2 ** 30 };

/** Allowed with this token, or for everybody (null); a text: refused. */
type Access = { readonly token: Token | null } | { readonly refused: TextAnswer };

export function createHub(o: HubOptions): Hub {
  const clock = o.clock ?? systemClock;
  const limits = o.limits ?? HUB_LIMITS;
  const lanes = o.lanes ?? LANES;
  let isClosed = false;
  const repositories = createRepositories(
    o.repos,
    { clock, limits: limits.git },
    // A hub before this one may have died in a push.
    (folder) => context.housekeeping.note(folder),
  );
  const tokens = createTokenSource(o.repos, clock.monotonic);
  const brake = createGuessBrake();
  const tell = o.tell ?? (() => {});
  const context: HubContext = {
    clock,
    limits,
    lanes: {
      clone: createLane(lanes.clone),
      fetch: createLane(lanes.fetch),
      push: createLane(lanes.push),
    },
    packs: createPackCache({
      folder: join(hubFolder(o.repos), 'answers'),
      ...(o.cache ?? CACHE),
      monotonic: clock.monotonic,
    }),
    tell,
    housekeeping: createHousekeeping({
      ...(o.housekeeping ?? HOUSEKEEPING),
      pushMaxMs: limits.workMs,
      now: clock.now,
      onFailed: (folder, message) =>
        tell({ type: 'failed', repository: relative(o.repos, folder), message: printable(message, 500) }),
    }),
  };
  const mirrors = new Map((o.mirrors ?? []).map((mirror) => [mirror.name, mirror]));
  const hooks = createHooks(limits.stallMs, clock.monotonic);
  let atWork = 0;

  /** Whether this request may do that. A wrong token is wrong also where none is needed: its owner wants to know. */
  function authorize(
    header: string | null,
    repository: string,
    service: GitService,
    address: string,
  ): Access {
    const text = parseAuthorization(header);
    if (text === null) {
      const isOpen = o.anonymousRead && service === 'git-upload-pack' && header === null;
      return isOpen ? { token: null } : { refused: ANSWERS.tokenMissing };
    }
    const now = clock.now();
    const token =
      recognizeToken(text, tokens.tokens(), now) ?? recognizeToken(text, tokens.tokens(true), now);
    if (token === null) return { refused: wrongToken(address, now, ANSWERS.tokenWrong) };
    if (service === 'git-upload-pack')
      return mayRead(token, repository) || o.anonymousRead ? { token } : { refused: ANSWERS.noRepository };
    if (mayPush(token, repository) !== 'none') return { token };
    return { refused: mayRead(token, repository) ? ANSWERS.noWrite : ANSWERS.noRepository };
  }

  /** @param answer What it is told the first times. */
  function wrongToken(address: string, now: number, answer: TextAnswer): TextAnswer {
    const waitMs = brake.wrong(address, now);
    if (waitMs === 0) return answer;
    context.tell({ type: 'guessing', address });
    const seconds = Math.ceil(waitMs / 1000);
    return textAnswer(429, `too many wrong tokens came from your address; wait ${seconds} s`, {
      'Retry-After': String(seconds),
      Connection: 'close',
    });
  }

  async function handle(request: Request, address: string): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const route = parseRoute(request.method, pathname + search);
    switch (route.kind) {
      case 'health':
        return toResponse(ANSWERS.healthy);
      case 'unknown':
        return toResponse(ANSWERS.unknown);
      case 'method':
        return toResponse(methodAnswer(route.allow));
      case 'mirrors':
        return listMirrors(request.headers.get('authorization'), address);
      case 'hook': {
        const answer = await hooks.take(request, mirrors.get(route.repository) ?? null);
        return toResponse(answer === ANSWERS.hookForged ? wrongToken(address, clock.now(), answer) : answer);
      }
      default:
    }
    const service = route.kind === 'dumb' ? 'git-upload-pack' : route.service;
    const header = request.headers.get('authorization');
    const access = authorize(header, route.repository, service, address);
    if ('refused' in access) return toResponse(access.refused);
    if (isClosed) return toResponse(ANSWERS.stopping);
    if (route.kind === 'dumb') return toResponse(ANSWERS.dumb);
    const mirror = mirrors.get(route.repository)?.state();
    if (mirror !== undefined && service === 'git-receive-pack') return toResponse(ANSWERS.mirror);
    if (mirror?.isEmpty) return toResponse(ANSWERS.mirrorEmpty);
    const repository = repositories.find(route.repository);
    if (repository === null) return toResponse(ANSWERS.noRepository);
    if (typeof repository === 'string') return toResponse(textAnswer(501, repository));
    if (route.kind === 'advertise') return advertise(request, repository, service);
    return talk(request, { repository, service, token: access.token, address });
  }

  /** Those that whoever asks may read. */
  function listMirrors(header: string | null, address: string): Response {
    const now = clock.now();
    const shown = [...mirrors.keys()].filter(
      (name) => !('refused' in authorize(header, name, 'git-upload-pack', address)),
    );
    if (shown.length === 0 && !o.anonymousRead) return toResponse(ANSWERS.tokenMissing);
    const body = { mirrors: shown.map((name) => shownOf(mirrors.get(name)!.state(), now)) };
    return Response.json(body, { headers: { 'Cache-Control': 'no-store' } });
  }

  async function advertise(request: Request, repository: Repository, service: GitService): Promise<Response> {
    const version = parseProtocolVersion(request.headers.get('git-protocol'));
    const body = await repository.advertise(service, version);
    return new Response(new Uint8Array(body), { headers: advertisementHeaders(service) });
  }

  async function talk(
    request: Request,
    of: { repository: Repository; service: GitService; token: Token | null; address: string },
  ): Promise<Response> {
    const { repository, service, token, address } = of;
    if (request.headers.get('content-type') !== `application/x-${service}-request`)
      return toResponse(ANSWERS.wrongType);
    const version = parseProtocolVersion(request.headers.get('git-protocol'));
    if (service === 'git-receive-pack') {
      // Nobody gets here without one: `authorize` gives push to tokens only.
      if (token === null) return toResponse(ANSWERS.tokenMissing);
      return answerPush({ request, repository, version, token, address }, context);
    }
    const { questionMaxBytes: maxBytes, stallMs } = limits;
    const body = await readWholeBody(request, { maxBytes, stallMs });
    return answerFetch(repository, version, body, request.signal, context);
  }

  function answerAtOnce(q: Question): QuickAnswer | null {
    const route = parseRoute(q.method, q.target);
    if (route.kind !== 'advertise' && route.kind !== 'talk') return null;
    const { repository: name, service } = route;
    if (isClosed) return null;
    if (q.authorization !== null) {
      const text = parseAuthorization(q.authorization);
      const token = text === null ? null : recognizeToken(text, tokens.tokens(), clock.now());
      if (token === null || !mayRead(token, name)) return null;
      if (service === 'git-receive-pack' && mayPush(token, name) === 'none') return null;
    } else if (!o.anonymousRead || service === 'git-receive-pack') return null;
    if (
      mirrors.size > 0 &&
      mirrors.has(name) &&
      (service === 'git-receive-pack' || mirrors.get(name)!.state().isEmpty)
    )
      return null;
    const repository = repositories.find(name);
    if (repository === null || typeof repository === 'string') return null;
    const version = parseProtocolVersion(q.gitProtocol);
    if (route.kind === 'advertise') {
      const body = repository.advertisement(service, version);
      return body && { headers: advertisementHeaders(service), body };
    }
    if (service !== 'git-upload-pack' || version !== 2 || q.body === null) return null;
    if (q.contentType !== 'application/x-git-upload-pack-request') return null;
    const body = repository.lsRefs(q.body);
    return typeof body === 'string' ? null : { headers: FETCH_HEADERS, body };
  }

  return {
    get atWork() {
      const { clone, fetch, push } = context.lanes;
      return atWork + clone.running + fetch.running + push.running;
    },
    async handle(request, address) {
      atWork += 1;
      try {
        return await handle(request, address);
      } catch (error) {
        if (error instanceof BodyRefused) return toResponse(error.answer);
        const { message } = error as Error;
        context.tell({
          type: 'failed',
          repository: printable(new URL(request.url).pathname),
          message: printable(message, 500),
        });
        return toResponse(ANSWERS.gitFailed);
      } finally {
        atWork -= 1;
      }
    },
    answerAtOnce(q) {
      try {
        return answerAtOnce(q);
      } catch {
        // A list of tokens or a repository that cannot be read: the long way finds the same and says so.
        return null;
      }
    },
    changed(name) {
      const repository = repositories.find(name);
      if (repository === null || typeof repository === 'string') return;
      repository.changed();
      context.housekeeping.note(repository.folder);
    },
    close() {
      isClosed = true;
      context.packs.close();
      return context.housekeeping.close();
    },
  };
}

const ADVERTISEMENT_HEADERS = {
  'git-upload-pack': {
    'Content-Type': 'application/x-git-upload-pack-advertisement',
    'Cache-Control': 'no-cache',
  },
  'git-receive-pack': {
    'Content-Type': 'application/x-git-receive-pack-advertisement',
    'Cache-Control': 'no-cache',
  },
} as const;

function advertisementHeaders(service: GitService): Readonly<Record<string, string>> {
  return ADVERTISEMENT_HEADERS[service];
}

function shownOf(state: MirrorState, now: number) {
  const time = (at: number | null) => (at === null ? null : new Date(at).toISOString());
  return {
    name: state.name,
    contactAt: time(state.contactAt),
    ageSeconds: state.contactAt === null ? null : Math.max(0, Math.round((now - state.contactAt) / 1000)),
    changedAt: time(state.changedAt),
    trouble: state.trouble === null ? null : { code: state.trouble.code, message: state.trouble.message },
  };
}
