import { basename, isAbsolute, resolve } from 'node:path';
import { CLASSIC, NODEWORK } from '../config/convention.ts';
import { HOSTS_FILE } from '../config/hosts-yaml.ts';
import { HOSTS_MAX_BYTES } from '../config/limits.ts';
import { type Finding, formatFinding, lintRepo } from '../config/lint.ts';
import { REPO_FILE } from '../config/repo-config.ts';
import { EXIT, type ExitCode, PullyuError } from '../errors.ts';
import { createMatcher } from '../git/contents.ts';
import { printable } from '../model/printable.ts';
import { readBytes, readCheckout } from './checkout-files.ts';
import { parseLabels } from './labels.ts';

export interface LintOptions {
  /** Default: the top of the checkout that the working directory is in. */
  readonly folder?: string | undefined;
  /** A host.yaml to check too. */
  readonly hostFile?: string | undefined;
  /** The hosts that there are, `part=app,deployment=prod` each: then actions that none of them would run are found. */
  readonly host?: readonly string[] | undefined;
  readonly convention?: string | undefined;
  /** Warnings fail too. */
  readonly strict?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** The part of a command's context that this one needs: no host, no state. */
export interface LintContext {
  readonly out: { line(text?: string): void; json(value: unknown): void };
  readonly cwd: string;
}

/**
 * `pullyu lint`: is this checkout fit to be pushed? Needs no host and changes nothing. Exits 1 when something will not work.
 * @throws PullyuError `usage` for a folder or file that is not there.
 */
export async function runLint(options: LintOptions, { out, cwd }: LintContext): Promise<ExitCode> {
  const checkout = await readCheckout(options.folder ?? null, cwd);
  const findings = lintRepo({
    repo: basename(checkout.folder),
    files: checkout.files,
    config: checkout.read(REPO_FILE),
    hostsConfig: checkout.read(HOSTS_FILE, HOSTS_MAX_BYTES),
    head: checkout.head,
    createMatcher,
    hosts: options.host?.map((labels) => parseLabels(labels.split(','), '--host')) ?? null,
    convention: conventionOf(options.convention),
    ...(options.hostFile === undefined ? {} : { hostFile: readHostFile(options.hostFile, cwd) }),
  });
  const worst = findings[0]?.severity ?? 'note';
  if (options.json) out.json({ folder: checkout.folder, findings });
  else for (const line of formatReport(findings, checkout.folder)) out.line(line);
  return worst === 'error' || (worst === 'warning' && options.strict) ? EXIT.failed : EXIT.ok;
}

/** One finding a line with its hint below, then what it comes to. */
export function formatReport(findings: readonly Finding[], folder: string): string[] {
  const lines = findings.flatMap((finding) => [
    formatFinding(finding),
    ...(finding.hint === null ? [] : [`  hint: ${finding.hint}`]),
  ]);
  const count = (severity: Finding['severity'], word: string) => {
    const many = findings.filter((finding) => finding.severity === severity).length;
    return many === 0 ? [] : [`${many} ${word}${many === 1 ? '' : 's'}`];
  };
  const counts = [...count('error', 'error'), ...count('warning', 'warning')];
  return [...lines, `${printable(folder)}: ${counts.length === 0 ? 'nothing is wrong' : counts.join(', ')}`];
}

function conventionOf(name = 'classic') {
  if (name === 'classic') return CLASSIC;
  if (name === 'nodework') return NODEWORK;
  throw new PullyuError('usage', `expected classic or nodework, found ${JSON.stringify(name)}`);
}

function readHostFile(file: string, cwd: string) {
  const content = readBytes(isAbsolute(file) ? file : resolve(cwd, file));
  if (content === null)
    throw new PullyuError('usage', `expected a host.yaml, found no file: ${printable(file)}`);
  return { file, content };
}
