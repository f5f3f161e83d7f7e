import { readable } from './stderr.ts';

/** Text of a stranger for a message: escaped, without credentials of URLs, on one line, at most `maxLength` of it. */
export function printable(text: string, maxLength = 200): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}...` : text;
  return readable(cut);
}
