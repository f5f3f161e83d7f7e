/** Words for a POSIX shell. */

/** One word that the shell hands on unchanged. Plain words stay plain, so that people can read the line. */
export function quoteShell(word: string): string {
  if (word.includes('\0')) throw new TypeError('a word for the shell cannot hold a zero byte');
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word) && !word.startsWith('=')) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

export function formatShellCommand(argv: readonly string[]): string {
  const [first = '', ...rest] = argv;
  // `NAME=value` as the first word would be an assignment.
  const program = first.includes('=') ? `'${first.replaceAll("'", `'\\''`)}'` : quoteShell(first);
  return [program, ...rest.map(quoteShell)].join(' ');
}
