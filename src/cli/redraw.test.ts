import { expect, test } from 'vitest';
import { createRedraw } from './redraw.ts';
import { clip, createTerminal } from './terminal.ts';

const stdout = { isTTY: true, columns: 20, rows: 4, write: () => true };

function terminal() {
  let written = '';
  const write = (text: string) => {
    written += text;
    return true;
  };
  const screen = { ...stdout, write };
  const out = createTerminal({ stdout: screen, stderr: stdout } as never, {});
  return {
    out,
    screen,
    take() {
      const taken = written;
      written = '';
      return taken;
    },
  };
}

test('what was drawn is replaced where it stands, and nothing is written when it is the same', () => {
  const { out, take } = terminal();
  const { draw } = createRedraw(out);
  draw(['one', 'two']);
  expect(take()).toBe('\r\u001b[Jone\ntwo\n');
  draw(['one', 'two']);
  expect(take()).toBe('');
  draw(['three']);
  expect(take()).toBe('\u001b[2A\r\u001b[Jthree\n');
});

test('never more lines than the terminal has, and none that wraps', () => {
  const { out, screen, take } = terminal();
  createRedraw(out).draw(['1', '2', '3', '4', 'x'.repeat(99)]);
  expect(take()).toBe('\r\u001b[J1\n2\n3\n');
  screen.rows = 2;
  createRedraw(out).draw(['x'.repeat(99), '2']);
  expect(take()).toBe(`\r\u001b[J${'x'.repeat(17)}...\n`);
});

test('a line is cut by what is seen of it, and its colour ends there', () => {
  const out = { isTerminal: true, columns: 10 };
  expect(clip('0123456789', out)).toBe('0123456789');
  expect(clip('0123456789a', out)).toBe('0123456...');
  expect(clip('\u001b[31m0123456789\u001b[39m', out)).toBe('\u001b[31m0123456789\u001b[39m');
  expect(clip('\u001b[31m0123456789a\u001b[39m', out)).toBe('\u001b[31m0123456\u001b[39m\u001b[0m...');
  expect(clip('0123456789a', { ...out, isTerminal: false })).toBe('0123456789a');
});
