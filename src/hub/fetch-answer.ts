/** `POST /NAME.git/git-upload-pack`: a probe from memory, a fetch from one computation for all who ask the same. */
import { createHash } from 'node:crypto';
import { printable } from '../model/printable.ts';
import { startGit } from './git-child.ts';
import type { HubContext } from './hub-context.ts';
import { type Lane, retryAfterSeconds } from './lanes.ts';
import type { ProtocolVersion } from './protocol-version.ts';
import type { Repository } from './repository.ts';
import type { Spool, SpoolReader } from './spool.ts';
import { ANSWERS, busyAnswer, toResponse } from './text-answer.ts';

export const FETCH_HEADERS = {
  'Content-Type': 'application/x-git-upload-pack-result',
  'Cache-Control': 'no-cache',
} as const;

/** There was no place in the lane. */
class Busy extends Error {}

/** @param body Unpacked, whole. @param signal Aborted when the client has gone. */
export async function answerFetch(
  repository: Repository,
  version: ProtocolVersion,
  body: Buffer,
  signal: AbortSignal,
  c: HubContext,
): Promise<Response> {
  if (version === 2) {
    const answer = await repository.readRefs(body);
    if (answer !== 'git') return new Response(new Uint8Array(answer), { headers: FETCH_HEADERS });
  }
  // The haves of a client that has something; the bytes of a name could hold the word too, which only costs it a place in a shorter lane.
  const name = body.includes('have ') ? 'fetch' : 'clone';
  const lane = c.lanes[name];
  const key = keyOf(repository, version, body);
  const spool = c.packs.get(key, (made, unwanted) => {
    void fill(made, { repository, version, body, lane, signal: unwanted }, c);
  });
  const ready = spool.whole();
  if (ready !== null) return new Response(new Uint8Array(ready), { headers: FETCH_HEADERS });
  const reader = spool.read();
  signal.addEventListener('abort', () => reader.leave(), { once: true });
  try {
    const first = await reader.next();
    return new Response(streamOf(first, reader), { headers: FETCH_HEADERS });
  } catch (error) {
    if (!(error instanceof Busy)) return toResponse(ANSWERS.gitFailed);
    c.tell({ type: 'busy', repository: repository.name, lane: name });
    return toResponse(busyAnswer(retryAfterSeconds(lane, c.clock.random())));
  }
}

/** Everything that the answer depends on; the generation stands for refs and configuration. */
function keyOf(repository: Repository, version: ProtocolVersion, body: Buffer): string {
  const hash = createHash('sha256').update(body).digest('base64');
  return `${repository.folder} ${repository.generation()} ${version} ${hash}`;
}

interface Work {
  readonly repository: Repository;
  readonly version: ProtocolVersion;
  readonly body: Buffer;
  readonly lane: Lane;
  readonly signal: AbortSignal;
}

async function fill(spool: Spool, work: Work, c: HubContext): Promise<void> {
  const { repository, signal } = work;
  const leave = await work.lane.enter(signal);
  if (leave === 'full' || leave === 'aborted') return spool.fail(new Busy());
  try {
    const git = startGit({
      service: 'upload-pack',
      folder: repository.folder,
      version: work.version,
      timeoutMs: c.limits.workMs,
      limits: c.limits.git,
      signal,
    });
    git.stdin.end(work.body);
    for await (const chunk of git.stdout) await spool.write(chunk as Buffer);
    const result = await git.ended;
    // A git that refuses says so inside its answer, and the client shows that.
    if (result.exitCode === 0 || (result.ended === 'exited' && result.exitCode !== null && spool.bytes > 0)) {
      return spool.end(result.exitCode === 0);
    }
    throw new Error(`${result.ended} ${result.signal ?? result.exitCode}: ${result.stderr.trim()}`);
  } catch (error) {
    spool.fail(error as Error);
    if (!signal.aborted)
      c.tell({ type: 'failed', repository: repository.name, message: printable((error as Error).message) });
  } finally {
    leave();
  }
}

function streamOf(first: Buffer | null, reader: SpoolReader): ReadableStream<Uint8Array> {
  let next: Buffer | null | undefined = first;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const chunk = next === undefined ? await reader.next() : next;
        next = undefined;
        if (chunk === null) controller.close();
        else controller.enqueue(chunk);
      },
      cancel: () => reader.leave(),
    },
    { highWaterMark: 0 },
  );
}
