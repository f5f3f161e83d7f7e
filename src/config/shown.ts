import { printable } from '../model/printable.ts';

/** What people write into a URL, or take for one. Anything up to the last `@`: a password may hold `/`, `:` and `@`. */
const IN_URL = /:\/\/\S*@/g;
const IN_SCP = /[^\s/:@"'[\]{},]+:[^\s/]\S*@/g;
const QUERY = /(:\/\/[^\s?#"']+)[?#][^\s"']+/g;
const TOKEN = /\b(?:gh[pousr]_|github_pat_|glpat-|xox[a-z]-)[\w-]+/g;

/** Does a text look like an access token of one of the known services? */
export function isToken(text: string): boolean {
  return text.search(TOKEN) === 0;
}

/** Text of a configuration file, fit for a message: without secrets that stand where none belong, escaped, cut. */
export function shown(text: string, maxLength?: number): string {
  const redacted = text
    .slice(0, 10_000)
    .replace(IN_URL, '://***@')
    .replace(IN_SCP, '***@')
    .replace(QUERY, '$1?***')
    .replace(TOKEN, '***');
  return printable(redacted, maxLength);
}
