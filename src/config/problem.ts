import { type ErrorCode, PullyuError } from '../errors.ts';
import { printable } from '../model/printable.ts';

/** One thing that is wrong with a configuration file. Lines and columns begin at 1. */
export interface Problem {
  readonly line: number;
  readonly column: number;
  /** What was expected, what was found. Escaped; without any secret. */
  readonly message: string;
}

const SHOWN_MAX = 50;

/** `file:line:column: message`, which editors and CI systems understand. */
export function formatProblem(file: string, problem: Problem): string {
  return `${printable(file)}:${problem.line}:${problem.column}: ${problem.message}`;
}

/** In the order of the file, each once. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>();
  return problems
    .filter((problem) => {
      const key = formatProblem('', problem);
      return !seen.has(key) && seen.add(key);
    })
    .sort((a, b) => a.line - b.line || a.column - b.column);
}

/**
 * The one error of a configuration file: every problem is a line of it.
 * @param page Of the documentation, which describes the file.
 */
export function problemsError(
  code: Extract<ErrorCode, 'host-config' | 'repo-config'>,
  file: string,
  problems: readonly Problem[],
  page = code === 'host-config' ? 'docs/host-yaml.md' : 'docs/pullyu-yaml.md',
): PullyuError {
  const sorted = sortProblems(problems);
  const lines = sorted.slice(0, SHOWN_MAX).map((problem) => formatProblem(file, problem));
  if (sorted.length > SHOWN_MAX) lines.push(`${printable(file)}: ${sorted.length - SHOWN_MAX} more problems`);
  const count = sorted.length === 1 ? '1 problem' : `${sorted.length} problems`;
  return new PullyuError(code, `expected a valid ${printable(file)}, found ${count}`, {
    hint: `${page} describes every key`,
    lines,
  });
}
