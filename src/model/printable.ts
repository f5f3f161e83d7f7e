const PLAIN = /^[\x20-\x7e]*$/;

/**
 * Text of a stranger, fit for a terminal and a log: control characters, line ends and invisible characters (such as
 * those that turn the reading direction) are shown as escapes, and what is longer than `maxLength` is cut.
 */
export function printable(text: string, maxLength = 200): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}...` : text;
  // Nearly all text is; the other question costs twenty times as much.
  if (PLAIN.test(cut)) return cut;
  return cut.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (char) => {
    const code = char.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}
