/**
 * Probes over ssh: `git-upload-pack` on the other side, over a connection that OpenSSH keeps. The question of protocol
 * v2 is sent at once, without waiting for the greeting: one round trip. A server that speaks v0 has answered with its
 * list before it reads that.
 */

import type { CommitId } from '../model/ids.ts';
import type { RepoConfig } from '../model/repo.ts';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import { monotonicMs } from '../system/clock.ts';
import { type ExecResult, exec } from '../system/exec.ts';
import { usableSshFolder } from './access.ts';
import { formatLsRefs } from './ls-refs.ts';
import { FLUSH } from './pkt-line.ts';
import { troubleOfMissing } from './probe-missing.ts';
import type { ProberOptions, RemoteProber } from './probe-types.ts';
import { chooseRef } from './probe-wanted.ts';
import {
  createAdvertisementReader,
  createLsRefsReader,
  type RefFilter,
  type RefReader,
} from './ref-reader.ts';
import type { RemoteUrl } from './remote-url.ts';
import { endOfFirstList, quotePath, sshCommand, sshEnvironment } from './ssh-command.ts';
import { troubleFromError, troubleFromGit } from './stderr.ts';

const OUTPUT_MAX_BYTES = 64 * 1024 * 1024;
const END_MASTER_MS = 2_000;

interface Question {
  readonly prefixes: readonly string[];
  readonly peel?: boolean;
  readonly symrefs?: boolean;
  readonly filter: RefFilter;
}

export function createSshProber(repo: RepoConfig, url: RemoteUrl, o: ProberOptions): RemoteProber {
  const context = { doing: 'ask the remote for its refs', remote: url.text };
  const before = new Map<string, CommitId>();
  let objectFormat: string | null = null;
  let speaksV0 = false;
  let usedFolder: string | null = null;

  const env = sshEnvironment(repo.access, o.env);
  const argv = (folder: string | null, ...more: string[]) =>
    sshCommand(repo.access, url, { folder, timeoutMs: o.limits.probeTimeoutMs }, more);

  async function ask(question: Question, deadline: number, signal?: AbortSignal): Promise<Result<RefReader>> {
    usedFolder = usableSshFolder(o.sshFolder);
    let result: ExecResult;
    try {
      result = await exec(
        argv(usedFolder, '-oSendEnv=GIT_PROTOCOL', `git-upload-pack ${quotePath(url.path)}`),
        {
          env,
          // The flush at the end says that we want nothing more.
          input: speaksV0 ? FLUSH : formatLsRefs({ ...question, objectFormat }) + FLUSH,
          timeoutMs: Math.max(1, deadline - monotonicMs()),
          maxOutputBytes: OUTPUT_MAX_BYTES,
          ...(signal === undefined ? {} : { signal }),
        },
      );
    } catch (error) {
      const known = troubleFromError(error, context);
      if (known === null) throw error;
      return fail(known);
    }
    return read(result, question, deadline, signal);
  }

  async function read(
    result: ExecResult,
    question: Question,
    deadline: number,
    signal?: AbortSignal,
  ): Promise<Result<RefReader>> {
    const { greeting, answer } = splitAnswer(result.stdout, question.filter);
    if (greeting.version === 0 && greeting.isComplete) {
      speaksV0 = true;
      return ok(greeting);
    }
    speaksV0 = false;
    if (greeting.isComplete && (greeting.objectFormat ?? 'sha1') !== (objectFormat ?? 'sha1')) {
      // Learned from the greeting: this question was put in the wrong format, and the server has refused it.
      objectFormat = greeting.objectFormat;
      return ask(question, deadline, signal);
    }
    if (answer?.isComplete && !answer.broken) return ok(answer);
    if (result.ended !== 'exited' || result.exitCode !== 0) return fail(troubleFromGit(result, context));
    const said = greeting.error ?? answer?.error;
    if (said) return fail(wrong('git-failed', `the message "${said}"`));
    const broken = greeting.broken ?? answer?.broken;
    return fail(
      broken ? wrong('not-git', `"${broken}"`) : wrong('empty-answer', 'an empty or incomplete one'),
    );
  }

  function wrong(code: 'git-failed' | 'not-git' | 'empty-answer', found: string) {
    return trouble(code, `expected an answer of git from ${url.text}, found ${found}`, {
      hint:
        code === 'not-git' ? 'the login there must print nothing of its own and allow git-upload-pack' : null,
      remote: url.text,
    });
  }

  return {
    async probe(wanted, signal) {
      const deadline = monotonicMs() + o.limits.probeTimeoutMs;
      const { filter, peel, refPrefix } = wanted;
      const answer = await ask({ prefixes: [refPrefix], peel, filter }, deadline, signal);
      if (!answer.ok) return answer;
      const chosen = await chooseRef(wanted, answer.value.refs);
      if (!chosen.ok) return chosen;
      if (chosen.value !== null) {
        before.set(wanted.key, chosen.value.commit);
        return ok({ ...chosen.value, url: url.text });
      }
      const around = { prefixes: ['HEAD', 'refs/'], symrefs: true, filter: { first: 8 } };
      const seen = await ask(around, deadline, signal);
      if (!seen.ok) return seen;
      const about = {
        others: seen.value.refs,
        sawRefs: seen.value.sawRefs,
        before: before.get(wanted.key) ?? null,
      };
      return fail(troubleOfMissing(wanted, url.text, about));
    },

    /** Ends the kept connection. It would end by itself, a while later. */
    close() {
      if (usedFolder === null) return;
      exec(argv(usedFolder, '-Oexit'), { env, timeoutMs: END_MASTER_MS }).catch(() => {});
      usedFolder = null;
    },
  };
}

/** The greeting, and behind its flush the answer to the question (only in v2). */
function splitAnswer(bytes: Buffer, filter: RefFilter): { greeting: RefReader; answer: RefReader | null } {
  const greeting = createAdvertisementReader(filter);
  greeting.push(bytes);
  if (greeting.version !== 2 || !greeting.isComplete) return { greeting, answer: null };
  const answer = createLsRefsReader(filter);
  answer.push(bytes.subarray(endOfFirstList(bytes)));
  return { greeting, answer };
}
