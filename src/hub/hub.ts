/**
 * The hub: a git server over HTTP. Requests in, responses out; sockets are the business of `serve.ts`.
 *
 * It keeps no state that git does not hold, but for its tokens. Whatever is in memory can be made again, so any number of hubs may
 * stand over copies of the same repositories.
 */
import { join, relative } from 'node:path';
import { printable } from '../model/printable.ts';
import { type Clock, systemClock } from '../system/clock.ts';
import { createAccess } from './access.ts';
import { answerFetch } from './fetch-answer.ts';
import { createHooks } from './hooks.ts';
import { createHousekeeping, type HousekeepingOptions } from './housekeeping.ts';
import { HUB_LIMITS, type HubContext, type HubLimits } from './hub-context.ts';
import type { HubEvent } from './hub-event.ts';
import { type HubMirror, mirrorsResponse, refusalOfMirror } from './hub-mirrors.ts';
import { createLane, type LaneSize } from './lanes.ts';
import { createPackCache } from './pack-cache.ts';
import { parseProtocolVersion } from './protocol-version.ts';
import { answerPush } from './push-answer.ts';
import {
  advertisementHeaders,
  answerQuickly,
  type Question,
  type QuickAnswer,
  requestType,
} from './quick-answer.ts';
import { createRepositories } from './repositories.ts';
import { BodyRefused, readWholeBody } from './request-body.ts';
import { parseRoute, type Route } from './route.ts';
import { ANSWERS, methodAnswer, textAnswer, toResponse } from './text-answer.ts';
import { hubFolder } from './token-file.ts';

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

export function createHub(o: HubOptions): Hub {
  const { clock = systemClock, limits = HUB_LIMITS, tell = () => {} } = o;
  const context = createHubContext(o, { clock, limits, tell });
  const access = createAccess({ repos: o.repos, anonymousRead: o.anonymousRead, clock, tell });
  const repositories = createRepositories(
    o.repos,
    { clock, limits: limits.git },
    // A hub before this one may have died in a push.
    (folder) => context.housekeeping.note(folder),
  );
  const mirrors = new Map((o.mirrors ?? []).map((mirror) => [mirror.name, mirror]));
  const hooks = createHooks(limits.stallMs, clock.monotonic);
  let atWork = 0;
  let isClosed = false;

  async function answer(request: Request, address: string): Promise<Response> {
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
        const taken = await hooks.take(request, mirrors.get(route.repository) ?? null);
        return toResponse(taken === ANSWERS.hookForged ? access.wrongSecret(address, taken) : taken);
      }
      default:
        return answerGit(request, route, address);
    }
  }

  async function answerGit(request: Request, route: GitRoute, address: string): Promise<Response> {
    const { repository: name } = route;
    const service = route.kind === 'dumb' ? 'git-upload-pack' : route.service;
    const decision = access.decide(request.headers.get('authorization'), name, service, address);
    if ('refused' in decision) return toResponse(decision.refused);
    if (isClosed) return toResponse(ANSWERS.stopping);
    if (route.kind === 'dumb') return toResponse(ANSWERS.dumb);
    const refusal = refusalOfMirror(mirrors.get(name), service);
    if (refusal !== null) return toResponse(refusal);
    const repository = repositories.find(name);
    if (repository === null) return toResponse(ANSWERS.noRepository);
    if (typeof repository === 'string') return toResponse(textAnswer(501, repository));
    const version = parseProtocolVersion(request.headers.get('git-protocol'));
    if (route.kind === 'advertise') {
      const body = await repository.advertise(service, version);
      return new Response(new Uint8Array(body), { headers: advertisementHeaders(service) });
    }
    if (request.headers.get('content-type') !== requestType(service)) return toResponse(ANSWERS.wrongType);
    if (service === 'git-upload-pack') {
      const { questionMaxBytes: maxBytes, stallMs } = limits;
      const body = await readWholeBody(request, { maxBytes, stallMs });
      return answerFetch(repository, version, body, request.signal, context);
    }
    const { token } = decision;
    // Nobody gets here without one: access is given to tokens only.
    if (token === null) return toResponse(ANSWERS.tokenMissing);
    return answerPush({ request, repository, version, token, address }, context);
  }

  /** Those that whoever asks may read. */
  function listMirrors(header: string | null, address: string): Response {
    // A token that is wrong is wrong once, however many mirrors there are; no mirror can have this name.
    const decision = access.decide(header, '', 'git-upload-pack', address);
    if ('refused' in decision && decision.refused !== ANSWERS.noRepository)
      return toResponse(decision.refused);
    const shown = [...mirrors.values()].filter(
      ({ name }) => o.anonymousRead || access.isAllowed(header, name, 'git-upload-pack'),
    );
    return mirrorsResponse(shown, clock.now());
  }

  return {
    get atWork() {
      const { clone, fetch, push } = context.lanes;
      return atWork + clone.running + fetch.running + push.running;
    },
    async handle(request, address) {
      atWork += 1;
      try {
        return await answer(request, address);
      } catch (error) {
        if (error instanceof BodyRefused) return toResponse(error.answer);
        const { pathname } = new URL(request.url);
        const message = printable((error as Error).message, 500);
        tell({ type: 'failed', repository: printable(pathname), message });
        return toResponse(ANSWERS.gitFailed);
      } finally {
        atWork -= 1;
      }
    },
    answerAtOnce(q) {
      if (isClosed) return null;
      try {
        return answerQuickly(q, { access, repositories, mirrors });
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

type GitRoute = Extract<Route, { readonly kind: 'advertise' | 'talk' | 'dumb' }>;

function createHubContext(o: HubOptions, shared: Pick<HubContext, 'clock' | 'limits' | 'tell'>): HubContext {
  const { clock, limits, tell } = shared;
  const lanes = o.lanes ?? LANES;
  return {
    ...shared,
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
    housekeeping: createHousekeeping({
      ...(o.housekeeping ?? HOUSEKEEPING),
      pushMaxMs: limits.workMs,
      now: clock.now,
      onFailed: (folder, message) =>
        tell({ type: 'failed', repository: relative(o.repos, folder), message: printable(message, 500) }),
    }),
  };
}
