/** Reading a clone: git with the clone's own settings, answers as values or troubles. */
import { fail, ok, type Result } from '../model/trouble.ts';
import type { ExecResult } from '../system/exec.ts';
import { type GitOptions, runGit } from './run.ts';
import { troubleFromError, troubleFromGit } from './stderr.ts';

/** A read that takes longer than this is broken, not slow. */
const READ_TIMEOUT_MS = 10 * 60_000;

export interface ReadOptions {
  /** For messages: `list the tree`. */
  readonly doing: string;
  readonly input?: string;
  readonly maxOutputBytes?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Exit codes that are answers. Default 0. */
  readonly answers?: readonly number[];
  readonly timeoutMs?: number;
  readonly config?: readonly string[];
}

export interface CloneGit {
  /** clone.git */
  readonly dir: string;
  /** Runs git on the clone. Only a failure to start it is a trouble here. */
  run(args: readonly string[], o: ReadOptions & Partial<GitOptions>): Promise<Result<ExecResult>>;
  /** Standard output of a git that succeeded. */
  read(args: readonly string[], o: ReadOptions): Promise<Result<Buffer>>;
  /** Content of each blob in the given order; null for one that is larger than `maxBytes`. */
  readBlobs(oids: readonly string[], maxBytes: number): Promise<Result<(Buffer | null)[]>>;
  readSizes(oids: readonly string[]): Promise<Result<ReadonlyMap<string, number>>>;
}

/**
 * @param decide What every call needs anew: access for a blobless clone, which fetches what it lacks; environment.
 */
export function createCloneGit(
  dir: string,
  decide: () => Promise<Result<Pick<GitOptions, 'access' | 'config' | 'env' | 'lazyFetch' | 'signal'>>>,
): CloneGit {
  const run: CloneGit['run'] = async (args, o) => {
    const base = await decide();
    if (!base.ok) return base;
    const { doing: _, answers: __, env, config, ...options } = o;
    try {
      return ok(
        await runGit(args, {
          timeoutMs: READ_TIMEOUT_MS,
          gitDir: dir,
          ...base.value,
          ...options,
          config: [...(base.value.config ?? []), ...(config ?? [])],
          env: { ...base.value.env, ...env },
        }),
      );
    } catch (error) {
      const problem = troubleFromError(error, { doing: o.doing });
      if (problem) return fail(problem);
      throw error;
    }
  };

  const read: CloneGit['read'] = async (args, o) => {
    const result = await run(args, o);
    if (!result.ok) return result;
    const { ended, exitCode, stdout } = result.value;
    if (ended === 'exited' && exitCode !== null && (o.answers ?? [0]).includes(exitCode)) return ok(stdout);
    return fail(troubleFromGit(result.value, { doing: o.doing }));
  };

  const readSizes: CloneGit['readSizes'] = async (oids) => {
    if (oids.length === 0) return ok(new Map());
    const output = await read(['cat-file', '--batch-check=%(objectname) %(objectsize)'], {
      doing: 'read the sizes of files',
      input: `${oids.join('\n')}\n`,
    });
    if (!output.ok) return output;
    const sizes = new Map<string, number>();
    for (const line of output.value.toString('latin1').split('\n')) {
      if (line === '') continue;
      const [oid = '', size = ''] = line.split(' ');
      if (!/^\d+$/.test(size)) return fail(missing(oid));
      sizes.set(oid, Number(size));
    }
    return ok(sizes);
  };

  const readBlobs: CloneGit['readBlobs'] = async (oids, maxBytes) => {
    const sizes = await readSizes([...new Set(oids)]);
    if (!sizes.ok) return sizes;
    const small = [...sizes.value].filter(([, size]) => size <= maxBytes).map(([oid]) => oid);
    if (small.length === 0) return ok(oids.map(() => null));
    const output = await read(['cat-file', '--batch'], {
      doing: 'read files',
      input: `${small.join('\n')}\n`,
      maxOutputBytes: 1024 ** 2 + small.length * (maxBytes + 200),
    });
    if (!output.ok) return output;
    const contents = parseBatch(output.value);
    if (typeof contents === 'string') return fail(missing(contents));
    return ok(oids.map((oid) => contents.get(oid) ?? null));
  };

  return { dir, run, read, readBlobs, readSizes };
}

/** `cat-file --batch`: content by id, or the id of the first object that is not there. */
function parseBatch(output: Buffer): Map<string, Buffer> | string {
  const contents = new Map<string, Buffer>();
  let at = 0;
  while (at < output.length) {
    const end = output.indexOf(0x0a, at);
    const [oid = '', type, size] = output.toString('latin1', at, end === -1 ? output.length : end).split(' ');
    if (end === -1 || type !== 'blob' || size === undefined) return oid;
    const start = end + 1;
    contents.set(oid, output.subarray(start, start + Number(size)));
    at = start + Number(size) + 1;
  }
  return contents;
}

function missing(oid: string) {
  return {
    code: 'clone-broken',
    message: `the clone lacks the object ${oid.slice(0, 64)}`,
    hint: 'it is fetched anew at the next look',
    remote: null,
    retryAfterMs: null,
  } as const;
}
