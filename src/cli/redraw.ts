/** Lines that stay where they are on a terminal while they change. */
import { clip, type Terminal } from './terminal.ts';

export interface Redraw {
  /** Replaces what was drawn before. At most as many lines as the terminal has are shown. */
  draw(lines: readonly string[]): void;
}

export function createRedraw(out: Terminal): Redraw {
  let drawn: readonly string[] = [];
  return {
    draw(lines) {
      // The last row stays free for the cursor; a line that wraps or scrolls could not be taken back.
      const fitting = lines.slice(0, Math.max(1, out.rows - 1)).map((line) => clip(line, out));
      if (fitting.length === drawn.length && fitting.every((line, n) => line === drawn[n])) return;
      const up = drawn.length === 0 ? '' : `\u001b[${drawn.length}A`;
      out.write(`${up}\r\u001b[J${fitting.map((line) => `${line}\n`).join('')}`);
      drawn = fitting;
    },
  };
}
