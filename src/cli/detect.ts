/** `pullyu detect ...`: prints the commit to act upon, or nothing. Exit code 0 whenever it could decide. */
import { requireActionName } from '../agent/action-files.ts';
import { detectFetch, detectLastAction, detectPath } from '../agent/detect.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import type { CommitId } from '../model/ids.ts';
import { printable } from '../model/printable.ts';
import type { CommandContext } from './context.ts';

export async function runDetectFetch(
  options: { readonly branch?: string; readonly fetch: boolean },
  context: CommandContext,
): Promise<ExitCode> {
  return print(await detectFetch({ branch: options.branch ?? null, fetch: options.fetch }, context), context);
}

export async function runDetectLastAction(
  options: { readonly action?: string },
  context: CommandContext,
): Promise<ExitCode> {
  return print(await detectLastAction(nameOf(options), context), context);
}

export async function runDetectPath(
  paths: readonly string[],
  options: { readonly action?: string },
  context: CommandContext,
): Promise<ExitCode> {
  const { commit, missing } = await detectPath(paths, nameOf(options), context);
  for (const path of missing) context.out.notice(`note: the checked-out commit has no ${printable(path)}`);
  return print(commit, context);
}

function nameOf(options: { readonly action?: string }): string | null {
  return options.action === undefined ? null : requireActionName(options.action);
}

function print(commit: CommitId | null, { out }: CommandContext): ExitCode {
  if (commit !== null) out.line(commit);
  return EXIT.ok;
}
