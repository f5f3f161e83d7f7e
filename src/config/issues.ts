/** What a schema objects to, as problems with a place and a sentence. */
import type * as v from 'valibot';
import { nearest } from './nearest.ts';
import type { Problem } from './problem.ts';
import { MISSING_KEY, UNKNOWN_KEY } from './schema-parts.ts';
import { shown } from './shown.ts';
import type { KeyPath, YamlText } from './yaml-text.ts';

type Issue = v.BaseIssue<unknown>;

/** @param isSecret Values at these places are never repeated. */
export function problemsOf(
  issues: readonly Issue[],
  text: YamlText,
  isSecret: (path: KeyPath) => boolean,
): Problem[] {
  return issues.flatMap((issue) => problemsOfIssue(issue, [], text, isSecret));
}

function problemsOfIssue(
  issue: Issue,
  base: KeyPath,
  text: YamlText,
  isSecret: (path: KeyPath) => boolean,
): Problem[] {
  const path: KeyPath = [...base, ...(issue.path ?? []).map((item) => item.key as string | number)];
  // Of several alternatives the one that was meant is the one that got further than the first look at the value.
  const further = (issue.issues ?? []).filter(
    (inner) => inner.path !== undefined || inner.kind === 'validation' || inner.issues,
  );
  if (issue.type === 'union' && further.some((inner) => isFurther(inner))) {
    return further.filter(isFurther).flatMap((inner) => problemsOfIssue(inner, path, text, isSecret));
  }
  if (issue.message.startsWith(UNKNOWN_KEY)) {
    return unknownKeys(path.slice(0, -1), issue.message.slice(UNKNOWN_KEY.length).split(' '), text);
  }
  if (issue.message.startsWith(MISSING_KEY)) {
    const parent = path.slice(0, -1);
    const message = `${where(parent)}expected the key ${issue.message.slice(MISSING_KEY.length)}, found none`;
    return [{ ...text.at(parent, 'key'), message }];
  }
  const isKey = issue.path?.at(-1)?.origin === 'key';
  const found = isKey
    ? describe(path.at(-1))
    : isSecret(path)
      ? kindOf(valueAt(text.value, path))
      : describe(valueAt(text.value, path));
  const message = issue.message.includes(', found ')
    ? issue.message
    : `expected ${issue.message}, found ${found}`;
  return [
    { ...text.at(path, isKey ? 'key' : 'value'), message: where(isKey ? path.slice(0, -1) : path) + message },
  ];
}

function isFurther(issue: Issue): boolean {
  return issue.path !== undefined || issue.kind === 'validation' || (issue.issues ?? []).some(isFurther);
}

/** A schema names only the first unknown key. All of them are wanted. */
function unknownKeys(path: KeyPath, known: readonly string[], text: YamlText): Problem[] {
  const keys = Object.keys((valueAt(text.value, path) ?? {}) as object).filter((key) => !known.includes(key));
  return keys.map((key) => {
    const near = nearest(key, known);
    const advice = near === null ? `; expected one of ${known.join(', ')}` : `; did you mean "${near}"?`;
    return {
      ...text.at([...path, key], 'key'),
      message: `${where(path)}unknown key "${shown(key, 60)}"${advice}`,
    };
  });
}

/** `repos.it.remotes[0]: `; nothing at the top. */
export function where(path: KeyPath): string {
  if (path.length === 0) return '';
  const text = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${shown(key, 64)}`)).join('');
  return `${text.replace(/^\./, '')}: `;
}

function valueAt(value: unknown, path: KeyPath): unknown {
  return path.reduce<unknown>(
    (at, key) => (at as Record<string | number, unknown> | undefined)?.[key],
    value,
  );
}

function describe(value: unknown): string {
  if (typeof value === 'string') return value === '' ? 'an empty text' : `"${shown(value, 60)}"`;
  return typeof value === 'number' ? `the number ${value}` : kindOf(value);
}

/** What it is, and nothing of what it says. */
function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a mapping';
  return typeof value === 'boolean' ? String(value) : typeof value === 'number' ? 'a number' : 'a text';
}
