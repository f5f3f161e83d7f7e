/** Private keys in PEM form, also where a log begins or ends in the middle of one. */

const BEGIN = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/;
const END = /-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/;
const BASE64 = /^[A-Za-z0-9+/=]{1,40}$/;
/** So many at the end of a line, whatever a log puts before them. */
const KEY_LINE_LENGTH = 40;
/** `Proc-Type: 4,ENCRYPTED` and the like, and the empty line after it. */
const KEY_HEADER = /^(?:Proc-Type|DEK-Info|Version|Comment): |^\s{0,8}$/;

/** Each key becomes one line, with what stood before its begin and after its end. */
export function hidePrivateKeys(text: string, hidden: string): string {
  if (!text.includes('PRIVATE KEY')) return text;
  const lines = text.split('\n');
  const kept: string[] = [];
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at]!;
    const begin = BEGIN.exec(line);
    if (begin !== null) {
      const last = endOfKey(lines, at, begin.index + begin[0].length);
      kept.push(line.slice(0, begin.index) + hidden + last.rest);
      at = last.at;
    } else if (END.test(line)) {
      // It began before this log does.
      if (kept.length > 0 && isShortLine(kept.at(-1)!)) kept.pop();
      while (kept.length > 0 && isKeyLine(kept.at(-1)!)) kept.pop();
      kept.push(hidden + line.slice(line.search(END)).replace(END, ''));
    } else {
      kept.push(line);
    }
  }
  return kept.join('\n');
}

/** Without an end: as far as lines look like one of a key. The rest of the line where it ends is shown again. */
function endOfKey(lines: readonly string[], from: number, column: number): { at: number; rest: string } {
  const first = lines[from]!.slice(column);
  const sameLine = END.exec(first);
  if (sameLine !== null)
    return { at: from, rest: hideMore(first.slice(sameLine.index + sameLine[0].length)) };
  let at = from;
  while (at + 1 < lines.length) {
    const next = lines[at + 1]!;
    const end = END.exec(next);
    if (end !== null) return { at: at + 1, rest: hideMore(next.slice(end.index + end[0].length)) };
    if (!isKeyLine(next) && !KEY_HEADER.test(next) && !isLastOfKey(lines, at + 1)) break;
    at += 1;
  }
  return { at, rest: '' };
}

function isKeyLine(line: string): boolean {
  const end = line.trimEnd().slice(-KEY_LINE_LENGTH);
  return end.length === KEY_LINE_LENGTH && BASE64.test(end);
}

/** The last one of a key, behind whatever a log puts before it. */
function isShortLine(line: string): boolean {
  return BASE64.test(line.trimEnd().slice(-KEY_LINE_LENGTH).split(/\s/).at(-1)!);
}

/** The short last line of a key: its end follows. */
function isLastOfKey(lines: readonly string[], at: number): boolean {
  return END.test(lines[at + 1] ?? '') || END.test(lines[at + 2] ?? '');
}

/** A second key in the same line: nothing of the line is shown. */
function hideMore(rest: string): string {
  return BEGIN.test(rest) ? '' : rest;
}
