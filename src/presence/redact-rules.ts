/**
 * What a secret looks like in a log. No quantifier is without a bound and none is inside of another (a test holds that), so that no text,
 * however made, takes longer than its length allows.
 */
export interface RedactRule {
  /** For tests and for people. */
  readonly name: string;
  readonly pattern: RegExp;
  readonly by: string;
}

/** A value: in quotes, or up to the next space. What is quoted and not closed ends with the line. */
const VALUE = String.raw`(?:"[^"\n]{0,4096}"?|'[^'\n]{0,4096}'?|[^\s"'&][^\s&]{0,4096})`;

const SECRET_WORD =
  'password|passwd|passphrase|passwort|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|signing[_-]?key|encryption[_-]?key|credentials?|connection[_-]?string';

/** Tokens of services that can be told by how they begin, and at least so many characters after it. */
const TOKENS: readonly (readonly [start: string, rest: string])[] = [
  ['gh[pousr]_', '[A-Za-z0-9]{16,4096}'],
  ['github_pat_', '[A-Za-z0-9_]{16,4096}'],
  ['gl(?:pat|dt|rt|cbt|ptt|soat|ft|imt|agent|oas)-', '[A-Za-z0-9_.-]{10,4096}'],
  ['xox[a-z]-', '[A-Za-z0-9-]{8,4096}'],
  ['xapp-', '[A-Za-z0-9-]{8,4096}'],
  ['(?:AKIA|ASIA|AROA|AIDA)', '[A-Z0-9]{16,128}'],
  ['AIza', '[A-Za-z0-9_-]{30,128}'],
  ['ya29\\.', '[A-Za-z0-9_-]{16,4096}'],
  ['eyJ', '[A-Za-z0-9_-]{5,4096}\\.[A-Za-z0-9_-]{4,8192}(?:\\.[A-Za-z0-9_-]{0,4096})?'],
  ['sk-', '[A-Za-z0-9_-]{20,4096}'],
  ['[sr]k_(?:live|test)_', '[A-Za-z0-9]{10,4096}'],
  ['npm_', '[A-Za-z0-9]{30,4096}'],
  ['pypi-', '[A-Za-z0-9_-]{16,4096}'],
  ['SG\\.', '[A-Za-z0-9_-]{16,256}\\.[A-Za-z0-9_-]{16,256}'],
  ['hv[sbr]\\.', '[A-Za-z0-9_-]{16,4096}'],
  ['(?:hf|dop_v1|dckr_pat|glsa|shpat|ntfy|tk)_', '[A-Za-z0-9_-]{16,4096}'],
  ['tskey-', '[A-Za-z0-9-]{10,4096}'],
  ['ATATT', '[A-Za-z0-9_=-]{16,4096}'],
  ['AGE-SECRET-KEY-1', '[A-Z0-9]{10,4096}'],
];

export const RULES: readonly RedactRule[] = [
  {
    name: 'user and password in a URL',
    pattern: /:\/\/[^\s/:@"'<>]{0,512}:[^\s"'<>]{0,2048}@/g,
    by: '://***@',
  },
  { name: 'token in a URL', pattern: /:\/\/[^\s/?#@"'<>]{1,2048}@/g, by: '://***@' },
  {
    name: 'header with credentials',
    pattern:
      /\b((?:proxy-)?authorization|private-token|job-token|deploy-token|x-[a-z-]{0,40}(?:token|key|secret|password)|(?:set-)?cookie)(\\?["']?[ \t]{0,8}[:=][ \t]{0,8}\\?["']?)(?:digest[ \t][^\n]{1,8192}|[^\n"']{1,8192})/gi,
    by: '$1$2***',
  },
  {
    name: 'bearer or basic credentials',
    // No word of a sentence holds one of these.
    pattern: /\b(bearer|basic)([ \t]{1,8})(?=[a-z-]{0,256}[0-9=+/._])[A-Za-z0-9._~+/=-]{8,8192}/gi,
    by: '$1$2***',
  },
  ...TOKENS.map(([start, rest]) => ({
    name: `token ${start}`,
    // In the middle of a word it is no beginning.
    pattern: new RegExp(`(?<![A-Za-z0-9_-])${start}${rest}`, 'g'),
    by: '***',
  })),
  {
    name: 'option of a command line',
    pattern: new RegExp(String.raw`(--[a-z-]{0,40}(?:${SECRET_WORD})[a-z-]{0,20}[ \t]{1,4})${VALUE}`, 'gi'),
    by: '$1***',
  },
  {
    name: 'user and password of curl',
    pattern: /((?:[ \t]-u[ \t]{0,4}|[ \t]--(?:proxy-)?user[ \t=]{1,4})["']?[^\s:"']{1,256}:)[^\s]{1,2048}/g,
    by: '$1***',
  },
  {
    name: 'assignment',
    pattern: new RegExp(
      String.raw`((?:${SECRET_WORD})[\w.-]{0,40}\\?["']?\]?[ \t]{0,8}(?:=>|:=|=|:)[ \t]{0,8})${VALUE}`,
      'gi',
    ),
    by: '$1***',
  },
];
