/** `pullyu detect ...`: prints the commit to act upon, or nothing. Exit code 0 whenever it could decide. */
import { requireActionName } from '../agent/action-files.ts';
import { detectFetch, detectLastAction, detectPath } from '../agent/detect.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import type { CommitId } from '../model/ids.ts';
import { printable } from '../model/printable.ts';
import type { CommandContext } from './context.ts';

interface Json {
  readonly json?: boolean;
}

export async function runDetectFetch(
  options: Json & { readonly branch?: string; readonly fetch: boolean },
  context: CommandContext,
): Promise<ExitCode> {
  const { branch = null, fetch } = options;
  return print(await detectFetch({ branch, fetch }, context), [], options, context);
}

export async function runDetectLastAction(
  options: Json & { readonly action?: string },
  context: CommandContext,
): Promise<ExitCode> {
  return print(await detectLastAction(nameOf(options), context), [], options, context);
}

export async function runDetectPath(
  paths: readonly string[],
  options: Json & { readonly action?: string },
  context: CommandContext,
): Promise<ExitCode> {
  const { commit, missing } = await detectPath(paths, nameOf(options), context);
  return print(commit, missing, options, context);
}

function nameOf(options: { readonly action?: string }): string | null {
  return options.action === undefined ? null : requireActionName(options.action);
}

/** For a shell the bare commit or nothing; paths that are not there are no part of the answer. */
function print(
  commit: CommitId | null,
  missing: readonly string[],
  { json }: Json,
  { out }: CommandContext,
): ExitCode {
  if (json) out.json({ commit, missing });
  else {
    for (const path of missing) out.notice(`note: the checked-out commit has no ${printable(path)}`);
    if (commit !== null) out.line(commit);
  }
  return EXIT.ok;
}
