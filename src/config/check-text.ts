/** From text to checked values: YAML, then a schema. All problems at once. */
import * as v from 'valibot';
import { problemsOf } from './issues.ts';
import type { Problem } from './problem.ts';
import { type KeyPath, readYaml, type YamlLimits, type YamlText } from './yaml-text.ts';

export interface Checked<T> {
  /** null when there are problems. */
  readonly values: T | null;
  readonly problems: readonly Problem[];
  readonly text: YamlText;
}

export interface CheckOptions {
  /** Where numbers and booleans are meant as they are written. */
  readonly isText: (path: KeyPath) => boolean;
  /** Where a value may be a secret, so that no message repeats it. */
  readonly isSecret: (path: KeyPath) => boolean;
  /** Default: those of a file that people write by hand. */
  readonly limits?: YamlLimits;
  /** Before everything in it is looked at: what makes that not worth while; null when nothing does. */
  readonly refuse?: (value: unknown) => string | null;
}

export function checkText<const S extends v.GenericSchema>(
  schema: S,
  input: string | Uint8Array,
  options: CheckOptions,
): Checked<v.InferOutput<S>> {
  const text = readYaml(input, options.isText, options.limits);
  if (!text.readable) return { values: null, problems: text.problems, text };
  const message = options.refuse?.(text.value) ?? null;
  if (message !== null) return { values: null, problems: [{ line: 1, column: 1, message }], text };
  const result = v.safeParse(schema, text.value === undefined ? {} : text.value);
  const problems = [...text.problems, ...problemsOf(result.issues ?? [], text, options.isSecret)];
  return { values: result.success && problems.length === 0 ? result.output : null, problems, text };
}
