import type { TrackRule } from '../model/repo.ts';

const LABEL = /\{[A-Za-z0-9_.-]+\}/g;

/** `tag: v*` asks for the highest semantic version; everything else is a ref, maybe with `{label}` in it. */
export function parseTrack(text: string): TrackRule {
  const tag = /^tag:\s*(.*)$/s.exec(text)?.[1];
  return tag === undefined ? { ref: text } : { tag };
}

/** What is wrong with a track rule; null when nothing is. What a label does to it is found out per host. */
export function whatIsWrongWithTrack(rule: TrackRule): string | null {
  return 'tag' in rule ? wrongTag(rule.tag) : wrongRef(rule.ref);
}

function wrongTag(pattern: string): string | null {
  const filled = pattern.replace(LABEL, 'x');
  return filled !== '' &&
    filled.length <= 240 &&
    /^[\w./+@*?[\]{},!-]+$/.test(filled) &&
    !filled.startsWith('-')
    ? null
    : 'a pattern of tags such as v*';
}

function wrongRef(ref: string): string | null {
  const filled = ref.replace(LABEL, 'x');
  const short = /^refs\/(?:heads|tags)\/(.*)$/s.exec(filled)?.[1];
  const name = short ?? filled;
  const known = short !== undefined || !filled.startsWith('refs/');
  return known && isRefName(name)
    ? null
    : 'a branch such as main or deploy/{deployment}, a tag such as refs/tags/v1, or a commit id';
}

/** The rules of git-check-ref-format. */
function isRefName(name: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
  if (name === '' || name === '@' || name.length > 240 || /[\x00-\x20\x7f~^:?*[\\]/.test(name)) return false;
  if (name.startsWith('-') || name.endsWith('.') || name.includes('..') || name.includes('@{')) return false;
  return name.split('/').every((part) => part !== '' && !part.startsWith('.') && !part.endsWith('.lock'));
}
