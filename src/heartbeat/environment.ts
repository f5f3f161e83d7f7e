/** The file of `NAME=value` lines that cron's script and systemd's unit both read. */

/** What a shell has and a heartbeat lacks: without these, a host behind a proxy works by hand and never again. */
const PROXY_NAMES = [
  'http_proxy',
  'https_proxy',
  'all_proxy',
  'no_proxy',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'ALL_PROXY',
  'NO_PROXY',
];

export function proxiesOf(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of PROXY_NAMES) {
    const value = env[name];
    // A value that one of the two readers would take apart is left out; none of these can be part of a URL.
    if (value && !/["'\\\p{Cc}]/u.test(value)) found[name] = value;
  }
  return found;
}

/** The names that a file sets. */
export function parseEnvironmentNames(text: string): Set<string> {
  return new Set(Array.from(text.matchAll(/^([A-Za-z_][A-Za-z0-9_]*)=/gm), (match) => match[1]!));
}

/** Adds what is missing; a line that somebody wrote is never changed. Null stays null when there is nothing to add. */
export function addEnvironment(text: string | null, values: Readonly<Record<string, string>>): string | null {
  const known = parseEnvironmentNames(text ?? '');
  const missing = Object.entries(values).filter(([name]) => !known.has(name));
  if (missing.length === 0) return text;
  const before =
    text ??
    '# NAME=value lines for the agent, read by its heartbeat. "pullyu install" added the proxies of its shell.\n';
  return `${before.replace(/([^\n])$/, '$1\n')}${missing.map(([name, value]) => `${name}="${value}"\n`).join('')}`;
}
