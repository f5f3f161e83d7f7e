/**
 * `POST /NAME.git/git-receive-pack`: what a client sends flows into git, what git says flows back. All or nothing: git keeps what
 * came in a quarantine until it is whole and checked, so a death of client, hub or git before that leaves the refs as they were. Once
 * git has everything it finishes by itself, also when client and hub have gone: stopping the hub ends no push but by cutting off its
 * input.
 */
import { printable } from '../model/printable.ts';
import type { Piped } from '../system/piped.ts';
import { startGit } from './git-child.ts';
import { foreignRef } from './host-refs.ts';
import type { HubContext } from './hub-context.ts';
import { retryAfterSeconds } from './lanes.ts';
import type { ProtocolVersion } from './protocol-version.ts';
import { createPushReader, type PushCommand } from './push-commands.ts';
import type { Repository } from './repository.ts';
import { BodyRefused, readBody } from './request-body.ts';
import { ANSWERS, busyAnswer, type TextAnswer, textAnswer, toResponse } from './text-answer.ts';
import { mayPush, type Token } from './token.ts';

const HEADERS = { 'Content-Type': 'application/x-git-receive-pack-result', 'Cache-Control': 'no-cache' };
/** Of the commands at the beginning of a push: some ten thousand refs. */
const COMMANDS_MAX_BYTES = 4 * 2 ** 20;

export interface PushRequest {
  readonly request: Request;
  readonly repository: Repository;
  readonly version: ProtocolVersion;
  readonly token: Token;
  readonly address: string;
}

export async function answerPush(push: PushRequest, c: HubContext): Promise<Response> {
  const { request, repository } = push;
  // A client that goes away while it waits for a place has pushed nothing.
  const leave = await c.lanes.push.enter(request.signal);
  if (leave === 'aborted') return toResponse(ANSWERS.stopping);
  if (leave === 'full') {
    c.tell({ type: 'busy', repository: repository.name, lane: 'push' });
    return toResponse(busyAnswer(retryAfterSeconds(c.lanes.push, c.clock.random())));
  }
  const body = readBody(request, { maxBytes: c.limits.git.pushMaxBytes, stallMs: c.limits.stallMs });
  try {
    const begun = await readCommands(body, push.token, repository);
    if ('refused' in begun) {
      leave();
      void body.return(undefined).catch(() => {});
      return toResponse(begun.refused);
    }
    const { version } = push;
    const git = startGit({
      service: 'receive-pack',
      folder: repository.folder,
      version,
      timeoutMs: c.limits.workMs,
      limits: c.limits.git,
    });
    const ended = watchEnd(git, push, begun.commands, c).finally(leave);
    const sending: Sending = { refused: null };
    void send(git, sending, begun.held, body);
    return await firstWords(git, sending, ended);
  } catch (error) {
    leave();
    if (error instanceof BodyRefused) return toResponse(error.answer);
    throw error;
  }
}

/** What was read on the way is still to be given to git. */
async function readCommands(
  body: AsyncGenerator<Buffer>,
  token: Token,
  repository: Repository,
): Promise<{ commands: readonly PushCommand[]; held: Buffer } | { refused: TextAnswer }> {
  const reader = createPushReader();
  const held: Buffer[] = [];
  let bytes = 0;
  let state: ReturnType<typeof reader.push> = 'reading';
  while (state === 'reading') {
    const { done, value } = await body.next();
    if (done) break;
    held.push(value);
    bytes += value.length;
    if (bytes > COMMANDS_MAX_BYTES && state === 'reading') return { refused: ANSWERS.tooLarge };
    state = reader.push(value);
  }
  if (mayPush(token, repository.name) === 'some') {
    // Signed pushes carry their commands elsewhere: nothing that was not understood gets through.
    if (state !== 'done') return { refused: ANSWERS.noWrite };
    const foreign = foreignRef(token.host ?? '', reader.commands);
    if (foreign !== null)
      return {
        refused: textAnswer(403, `this token may only push what its host writes, not ${printable(foreign)}`),
      };
  }
  return { commands: reader.commands, held: Buffer.concat(held) };
}

interface Sending {
  /** Why not all of it came; null as long as nothing is wrong. Known before git can say that its input was cut off. */
  refused: TextAnswer | null;
}

/**
 * What came so far is never everything to git: it knows how many objects belong to a pack, and where the commands end. Cut off, it
 * clears its quarantine away by itself, which it cannot when it is killed.
 */
async function send(git: Piped, sending: Sending, held: Buffer, rest: AsyncIterable<Buffer>): Promise<void> {
  const write = (chunk: Buffer) =>
    new Promise<void>((resolve) => {
      if (git.stdin.destroyed || git.stdin.write(chunk)) return resolve();
      const done = () => {
        git.stdin.off('drain', done);
        git.stdin.off('close', done);
        resolve();
      };
      git.stdin.on('drain', done);
      git.stdin.on('close', done);
    });
  try {
    await write(held);
    for await (const chunk of rest) {
      // A git that has given up has said why; a client reads that when it has sent everything.
      if (!git.stdin.destroyed) await write(chunk);
    }
    git.stdin.end();
  } catch (error) {
    sending.refused = error instanceof BodyRefused ? error.answer : ANSWERS.brokenBody;
    git.stdin.destroy();
  }
}

async function watchEnd(git: Piped, push: PushRequest, commands: readonly PushCommand[], c: HubContext) {
  const { repository } = push;
  try {
    const result = await git.ended;
    repository.changed();
    c.housekeeping.note(repository.folder);
    if (result.exitCode !== 0) {
      const message = `push: ${result.ended} ${result.signal ?? result.exitCode}: ${result.stderr.trim()}`;
      c.tell({ type: 'failed', repository: repository.name, message: printable(message) });
    } else if (commands.length > 0) {
      const refs = commands.map(({ ref }) => printable(Buffer.from(ref, 'latin1').toString()));
      c.tell({
        type: 'pushed',
        repository: repository.name,
        refs,
        token: push.token.id,
        address: push.address,
      });
    }
  } catch (error) {
    c.tell({ type: 'failed', repository: repository.name, message: printable((error as Error).message) });
  }
}

/** The status line says whether git has begun to answer; what git thinks of the push is inside its answer. */
async function firstWords(git: Piped, sending: Sending, ended: Promise<void>): Promise<Response> {
  const output = git.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const first = await output.next();
  if (sending.refused !== null) {
    git.stdout.resume();
    await ended;
    return toResponse(sending.refused);
  }
  if (first.done) {
    await ended;
    const result = await git.ended.catch(() => null);
    // Nothing was asked of it: the empty request by which a client finds out whether it may push.
    if (result?.exitCode === 0) return new Response(null, { headers: HEADERS });
    return toResponse(ANSWERS.gitFailed);
  }
  let next: IteratorResult<Buffer> | null = first;
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const piece = next ?? (await output.next());
        next = null;
        if (!piece.done) return controller.enqueue(piece.value);
        // Whoever reads the end may rely on the refs being known as they are now.
        await ended;
        controller.close();
      },
      // The client has gone. git finishes what it has got, and needs somebody to listen.
      cancel: () => void git.stdout.resume(),
    },
    { highWaterMark: 0 },
  );
  return new Response(stream, { headers: HEADERS });
}
