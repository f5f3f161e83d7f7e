/** Everything that goes to the terminal. Colours only there, and never with NO_COLOR. */
import type { PullyuError } from '../errors.ts';

export type Paint = (text: string) => string;

export interface Terminal {
  readonly isTerminal: boolean;
  /** As they are at this moment: a window may be resized. */
  readonly columns: number;
  readonly rows: number;
  line(text?: string): void;
  /** As it is, without a newline. */
  write(text: string | Uint8Array): void;
  json(value: unknown): void;
  /** To standard error. */
  notice(text: string): void;
  /** Standard error, for what a program prints beside our JSON. */
  readonly beside: Pick<Terminal, 'isTerminal' | 'write'>;
  error(error: PullyuError): void;
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
}

export function createTerminal(
  streams: Pick<NodeJS.Process, 'stdout' | 'stderr'> = process,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Terminal {
  const { stdout } = streams;
  const coloured = stdout.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
  const paint = (open: number, close: number) => (text: string) =>
    coloured ? `\u001b[${open}m${text}\u001b[${close}m` : text;
  const red = paint(31, 39);
  return {
    isTerminal: stdout.isTTY === true,
    get columns() {
      return stdout.columns ?? 100;
    },
    get rows() {
      return stdout.rows ?? 40;
    },
    write: (text) => void stdout.write(text),
    line: (text = '') => void stdout.write(`${text}\n`),
    json: (value) => void stdout.write(`${JSON.stringify(value, null, 2)}\n`),
    beside: {
      isTerminal: streams.stderr.isTTY === true,
      write: (text) => void streams.stderr.write(text),
    },
    notice: (text) => void streams.stderr.write(`${text}\n`),
    error(error) {
      const { stderr } = streams;
      stderr.write(`${red('error:')} ${error.message}\n`);
      for (const line of error.lines) stderr.write(`  ${line}\n`);
      if (error.hint !== null) stderr.write(`hint: ${error.hint}\n`);
    },
    bold: paint(1, 22),
    dim: paint(2, 22),
    red,
    green: paint(32, 39),
    yellow: paint(33, 39),
  };
}

/** Columns side by side, each as wide as its widest cell; the last one is free. */
export function formatTable(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, n) => {
      widths[n] = Math.max(widths[n] ?? 0, visibleLength(cell));
    });
  return rows.map((row) =>
    row
      .map((cell, n) => (n === row.length - 1 ? cell : cell + ' '.repeat(widths[n]! - visibleLength(cell))))
      .join('  ')
      .trimEnd(),
  );
}

function visibleLength(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours have no width.
  return text.replace(/\u001b\[\d+m/g, '').length;
}

/** On a terminal cut to its width, so that a line stays one line. Colours are ended where it is cut. */
export function clip(line: string, out: Pick<Terminal, 'isTerminal' | 'columns'>): string {
  if (!out.isTerminal || visibleLength(line) <= out.columns) return line;
  let left = out.columns - 3;
  let isColoured = false;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours have no width.
  const kept = line.replace(/\u001b\[\d+m|./gsu, (piece) => {
    if (piece.length > 2) {
      isColoured = true;
      return piece;
    }
    left -= 1;
    return left < 0 ? '' : piece;
  });
  return isColoured ? `${kept}\u001b[0m...` : `${kept}...`;
}
