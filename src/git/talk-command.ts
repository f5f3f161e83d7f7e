/**
 * A talk with the programs of git themselves: over ssh, or here for a path. All that we have to say is sent at once, behind a greeting
 * that is read afterwards. git:// is spoken over a socket in the same way.
 */
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import { monotonicMs } from '../system/clock.ts';
import { type ExecResult, exec } from '../system/exec.ts';
import { usableSshFolder } from './access.ts';
import type { AnswerReader } from './answer-reader.ts';
import { formatLsRefs } from './ls-refs.ts';
import type { ObjectFormat } from './objects.ts';
import { FLUSH } from './pkt-line.ts';
import { createReportReader, formatPush } from './receive-pack.ts';
import { createAdvertisementReader, createLsRefsReader, type RefReader } from './ref-reader.ts';
import type { RemoteUrl } from './remote-url.ts';
import { endOfFirstList, quotePath, sshCommand, sshEnvironment } from './ssh-command.ts';
import { troubleFromError, troubleFromGit } from './stderr.ts';
import type { Line, Listing, TalkOptions } from './talk.ts';
import { formatOf, isBelow } from './talk-http.ts';
import { createPackReader, formatFetch } from './upload-pack.ts';

const LIST_MAX_BYTES = 64 * 1024 * 1024;
const END_MASTER_MS = 2_000;
const HEADS = { prefix: 'refs/heads/' } as const;

type Service = 'git-upload-pack' | 'git-receive-pack';

interface Said {
  readonly greeting: RefReader;
  /** Behind the greeting. */
  readonly rest: Buffer;
  readonly result: ExecResult;
}

export function createCommandLine(url: RemoteUrl, o: TalkOptions): Line {
  /** Of the last greeting; null before the first. */
  let spoken: { version: 0 | 2; format: ObjectFormat; knowsFilter: boolean } | null = null;
  let usedFolder: string | null = null;

  function ssh(folder: string | null, more: readonly string[]): string[] {
    return sshCommand(o.access, url, { folder, timeoutMs: o.limits.probeTimeoutMs }, more);
  }

  function command(service: Service): { argv: string[]; env: Record<string, string> } {
    if (url.protocol === 'ssh') {
      usedFolder = usableSshFolder(o.sshFolder);
      const more = ['-oSendEnv=GIT_PROTOCOL', `${service} ${quotePath(url.path)}`];
      return {
        argv: ssh(usedFolder, more),
        env: sshEnvironment(o.access, o.env),
      };
    }
    return {
      argv: ['git', service.slice('git-'.length), '--', url.path],
      env: {
        PATH: o.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
        LC_ALL: 'C',
        HOME: '/nonexistent',
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_CONFIG_GLOBAL: '/dev/null',
        GIT_PROTOCOL: 'version=2',
      },
    };
  }

  async function say(
    service: Service,
    input: string | Buffer,
    o2: { doing: string; timeoutMs: number; maxBytes: number; signal: AbortSignal | undefined },
  ): Promise<Result<Said>> {
    const context = { doing: o2.doing, remote: url.text };
    const { argv, env } = command(service);
    // A push is of version 0: what it begins with is the list of refs.
    if (service === 'git-receive-pack') delete env.GIT_PROTOCOL;
    try {
      const result =
        url.protocol === 'git'
          ? await (await import('./talk-socket.ts')).askSocket(url, service, input, o2)
          : await exec(argv, {
              env,
              input,
              timeoutMs: Math.max(1, o2.timeoutMs),
              maxOutputBytes: o2.maxBytes,
              ...(o2.signal === undefined ? {} : { signal: o2.signal }),
            });
      const greeting = createAdvertisementReader(HEADS);
      greeting.push(result.stdout);
      if (result.ended !== 'exited') return fail(troubleFromGit(result, context));
      if (!greeting.isComplete || greeting.version === null)
        return fail(noGreeting(result, greeting, context));
      if (service === 'git-upload-pack') {
        const { version, knowsFilter } = greeting;
        spoken = { version, format: formatOf(greeting.objectFormat), knowsFilter };
      }
      return ok({ greeting, rest: result.stdout.subarray(endOfFirstList(result.stdout)), result });
    } catch (error) {
      const known = troubleFromError(error, context);
      if (known === null) throw error;
      return fail(known);
    }
  }

  function noGreeting(result: ExecResult, greeting: RefReader, context: { doing: string; remote: string }) {
    if (greeting.error !== null) return wrong('not-found', `the message "${greeting.error}"`);
    if (result.exitCode !== 0) return troubleFromGit(result, context);
    return greeting.broken !== null
      ? wrong('not-git', `"${greeting.broken}"`)
      : wrong('empty-answer', 'an empty or incomplete one');
  }

  function wrong(code: 'not-git' | 'empty-answer' | 'not-found', found: string) {
    return trouble(code, `expected an answer of git from ${url.text}, found ${found}`, { remote: url.text });
  }

  /** Whatever was read, unless it is plain that it is not all. */
  function checked<R extends AnswerReader>(reader: R, said: Said, doing: string): Result<R> {
    if (reader.isComplete || reader.error !== null || reader.broken !== null) return ok(reader);
    if (said.result.exitCode !== 0) return fail(troubleFromGit(said.result, { doing, remote: url.text }));
    return fail(wrong('empty-answer', 'only the beginning of one'));
  }

  async function list(
    prefixes: readonly string[],
    deadline: number,
    signal?: AbortSignal,
  ): Promise<Result<Listing>> {
    const doing = 'ask the remote for its refs';
    const before = spoken;
    const question = formatLsRefs({ prefixes, objectFormat: before?.format ?? null }) + FLUSH;
    const said = await say('git-upload-pack', before?.version === 0 ? FLUSH : question, {
      doing,
      timeoutMs: deadline - monotonicMs(),
      maxBytes: LIST_MAX_BYTES,
      signal,
    });
    if (!said.ok) return said;
    const { greeting, rest } = said.value;
    const format = formatOf(greeting.objectFormat);
    if (greeting.version === 0)
      return ok({ refs: greeting.refs.filter(isBelow(prefixes)), format, serial: 0, moved: null });
    // The question was put in the wrong words, and the server has refused it.
    const isMistaken = before?.version === 0 || (before?.format ?? 'sha1') !== format;
    if (isMistaken && monotonicMs() < deadline) return list(prefixes, deadline, signal);
    const reader = createLsRefsReader(HEADS);
    reader.push(rest);
    const answer = checked(reader, said.value, doing);
    if (!answer.ok) return answer;
    const said2 = reader.error ?? reader.broken;
    if (said2 !== null) return fail(wrong('not-git', `"${said2}"`));
    return ok({ refs: reader.refs.filter(isBelow(prefixes)), format, serial: 0, moved: null });
  }

  return {
    list: (prefixes, signal) => list(prefixes, monotonicMs() + o.limits.probeTimeoutMs, signal),
    async fetch(q, maxBytes, signal) {
      const doing = 'fetch from the remote';
      // Commits are known by a list, and that was preceded by a greeting.
      const words = spoken ?? { version: 2, format: 'sha1', knowsFilter: false };
      const blobMaxBytes = words.knowsFilter ? q.blobMaxBytes : null;
      const question = formatFetch({ ...q, blobMaxBytes }, words.version, words.format);
      const said = await say('git-upload-pack', words.version === 2 ? question + FLUSH : question, {
        doing,
        timeoutMs: o.limits.fetchStallMs,
        maxBytes: LIST_MAX_BYTES + maxBytes,
        signal,
      });
      if (!said.ok) return said;
      const reader = createPackReader(maxBytes);
      reader.push(said.value.rest);
      const answer = checked(reader, said.value, doing);
      return answer.ok ? ok({ reader, format: words.format }) : answer;
    },
    async push({ commands, objects, format }, signal) {
      const doing = 'push to the remote';
      const said = await say('git-receive-pack', formatPush(commands, objects, format), {
        doing,
        timeoutMs: o.limits.fetchStallMs,
        maxBytes: LIST_MAX_BYTES,
        signal,
      });
      if (!said.ok) return said;
      const reader = createReportReader();
      reader.push(said.value.rest);
      return checked(reader, said.value, doing);
    },
    /** Ends the kept connection. It would end by itself, a while later. */
    close() {
      if (usedFolder === null) return;
      const env = sshEnvironment(o.access, o.env);
      exec(ssh(usedFolder, ['-Oexit']), { env, timeoutMs: END_MASTER_MS }).catch(() => {});
      usedFolder = null;
    },
  };
}
