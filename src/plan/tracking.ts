import type { Labels } from '../model/labels.ts';
import { printable } from '../model/printable.ts';
import type { Tracking, TrackRule } from '../model/repo.ts';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';

/**
 * What to ask a remote for, after the labels of this host were put in. A label that is missing, or that makes an
 * impossible name, is a trouble of the repo: nothing is guessed.
 */
export function resolveTracking(rule: TrackRule, labels: Labels): Result<Tracking> {
  const template = 'tag' in rule ? rule.tag : rule.ref;
  const filled = fillTemplate(template, labels);
  if (!filled.ok) return filled;
  return 'tag' in rule ? tagPattern(filled.value) : exactRef(filled.value);
}

function exactRef(ref: string): Result<Tracking> {
  if (/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i.test(ref)) return ok({ kind: 'commit', id: ref.toLowerCase() });
  const [, space, short] = /^refs\/(heads|tags)\/(.*)$/s.exec(ref) ?? [];
  const name = short ?? ref;
  if (!isRefName(name) || (space === undefined && ref.startsWith('refs/')))
    return impossible('a branch or tag', ref);
  return ok(space === 'tags' ? { kind: 'exact-tag', name } : { kind: 'branch', name });
}

function tagPattern(pattern: string): Result<Tracking> {
  if (pattern === '' || !/^[\w./+@*?[\]{},!-]+$/.test(pattern) || pattern.startsWith('-')) {
    return impossible('a pattern of tags', pattern);
  }
  return ok({ kind: 'tag', pattern });
}

function fillTemplate(template: string, labels: Labels): Result<string> {
  const missing: string[] = [];
  const strange: string[] = [];
  const text = template.replace(/\{([A-Za-z0-9_.-]+)\}/g, (_, key: string) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
    if (value === undefined) missing.push(key);
    else if (!/^[\w.+@/-]+$/.test(value)) strange.push(key);
    return value ?? '';
  });
  if (missing.length > 0) {
    const names = missing.map((key) => `"${printable(key)}"`).join(', ');
    return fail(
      trouble('config', `track: ${printable(template)} needs the label ${names}, which this host has not`, {
        hint: 'give the host this label in host.yaml, or track another ref',
      }),
    );
  }
  const [key] = strange;
  if (key === undefined) return ok(text);
  return impossible(`a label "${printable(key)}" that can be part of a ref`, labels[key] ?? '');
}

/** The rules of git-check-ref-format that matter for a name that we ask for. */
function isRefName(name: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
  if (name === '' || name === '@' || name.length > 240 || /[\x00-\x20\x7f~^:?*[\\]/.test(name)) return false;
  if (name.startsWith('-') || name.endsWith('.') || name.includes('..') || name.includes('@{')) return false;
  return name.split('/').every((part) => part !== '' && !part.startsWith('.') && !part.endsWith('.lock'));
}

function impossible(expected: string, found: string): Result<Tracking> & Result<string> {
  return fail(
    trouble('config', `track: expected ${expected}, found "${printable(found)}"`, {
      hint: 'correct track in host.yaml',
    }),
  );
}
