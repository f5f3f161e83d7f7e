/** How the demo speaks: plain lines, one indentation per level, colours and wrapping only on a terminal. */

export interface Voice {
  line(text?: string): void;
  readonly isTerminal: boolean;
  readonly columns: number;
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly green: (text: string) => string;
  readonly red: (text: string) => string;
}

export interface Storyteller {
  /** Begins a chapter: numbered, with what it is about in one sentence. */
  chapter(title: string): void;
  /** A command as it is run; the lines after the first are its continuation. */
  command(...lines: string[]): void;
  /** What a program printed. */
  quote(text: string): void;
  /** What happened so many milliseconds after the push; null goes on with what happened before. */
  moment(ms: number | null, text: string): void;
  /** What was found out. */
  found(text: string): void;
  /** What a reader should know beside it; short. */
  note(text: string): void;
  say(text?: string): void;
}

const INDENT = '   ';
/** Lines of prose are no longer than this. */
const PROSE = 96;

export function createStoryteller(voice: Voice): Storyteller {
  let chapter = 0;
  /** `mark` stands before the first line of a text, `more` before those that it is wrapped into. */
  const indented = (mark: string, text: string, more: string, paint = voice.dim) => {
    const width = voice.isTerminal ? voice.columns - INDENT.length - more.length : Number.POSITIVE_INFINITY;
    wrap(text, width).forEach((line, n) => {
      voice.line(`${INDENT}${paint(n === 0 ? mark : more)}${line}`.trimEnd());
    });
  };
  return {
    chapter(title) {
      chapter += 1;
      voice.line();
      voice.line(voice.bold(`${chapter}. ${title}`));
    },
    command(first, ...more) {
      indented('$ ', first, '    ');
      for (const line of more) indented('    ', line, '    ');
    },
    quote(text) {
      for (const line of text.trimEnd().split('\n')) indented('| ', line, '|   ');
    },
    moment(ms, text) {
      const mark = ms === null ? '' : `${(Math.max(0, ms) / 1000).toFixed(2)} s`;
      indented(`${mark.padStart(7)}  `, text, ' '.repeat(11));
    },
    found(text) {
      indented('-> ', text, '   ', voice.green);
    },
    note(text) {
      voice.line(`${INDENT}${voice.dim(text)}`);
    },
    say(text = '') {
      for (const line of wrap(text, Math.min(voice.columns, PROSE))) voice.line(line);
    },
  };
}

/** At blanks where there are some; a word that is longer than a line stays whole. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > width) {
    const at = rest.lastIndexOf(' ', width);
    const cut = at > width / 3 ? at : rest.indexOf(' ', width);
    if (cut === -1) break;
    lines.push(rest.slice(0, cut).trimEnd());
    rest = rest.slice(cut + 1).trimStart();
  }
  return [...lines, rest];
}
