import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Message } from './channel.ts';
import { formatMail } from './mail.ts';
import { openChannels } from './open-channels.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pullyu-news-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function program(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${text}\n`);
  chmodSync(file, 0o755);
  return file;
}

const message: Message = {
  level: 'critical',
  text: 'shop failed on 2 of 3 hosts: web-1, web-2 (exit code 1)',
  lines: ['web-1: shop exit code 1', 'web-2: shop exit code 1'],
  host: 'control-1',
  at: Date.UTC(2026, 0, 2, 3, 4, 5),
};

const env = () => ({ PATH: `${folder}:${process.env.PATH}`, SECRET: 'x' });

test('a script gets the message as JSON, and an environment without ours', async () => {
  const file = program('tell', `cat > ${folder}/got; env > ${folder}/env`);
  const [channel] = openChannels([{ kind: 'script', level: 'chatty', program: file }], {
    env: env(),
    now: () => 0,
  });
  expect(await channel!.send(message)).toEqual({ ok: true });
  expect(JSON.parse(readFileSync(join(folder, 'got'), 'utf8'))).toEqual({
    ...message,
    at: '2026-01-02T03:04:05.000Z',
  });
  expect(readFileSync(join(folder, 'env'), 'utf8')).not.toContain('SECRET');
});

test.each([
  ['exits with another code', 'echo "no route" >&2; exit 3', 'it exited with 3: no route'],
  ['does not end', 'sleep 60', 'it did not end within 0.2 s'],
  ['is none', null, 'it cannot be run (ENOENT)'],
])('a script that %s has not told it', async (_, text, why) => {
  const file = text === null ? '/nonexistent/tell' : program('tell', text);
  const options = { env: env(), now: () => 0, timeoutMs: 200 };
  const [channel] = openChannels([{ kind: 'script', level: 'chatty', program: file }], options);
  expect(await channel!.send(message)).toEqual({ ok: false, why, retryAfterMs: null });
});

test('a mail goes through the sendmail of the host', async () => {
  program('sendmail', `cat > ${folder}/mail; echo "$@" > ${folder}/argv`);
  const config = { kind: 'mail', level: 'critical', to: ['ops@example.com', 'root'] } as const;
  const [channel] = openChannels([config], { env: env(), now: () => 0 });
  expect(await channel!.send(message)).toEqual({ ok: true });
  expect(readFileSync(join(folder, 'argv'), 'utf8')).toBe('-i -- ops@example.com root\n');
  const mail = readFileSync(join(folder, 'mail'), 'utf8');
  expect(mail).toContain('\nSubject: [pullyu] shop failed on 2 of 3 hosts: web-1, web-2 (exit code 1)\n');
  expect(mail).toContain('To: ops@example.com, root\n');
  expect(mail).toContain('\nDate: Fri, 02 Jan 2026 03:04:05 +0000\n');
  expect(bodyOf(mail)).toBe(
    `${message.text}\r\n\r\n${message.lines.join('\r\n')}\r\n\r\n-- \r\ncontrol-1, pullyu\r\n`,
  );
});

function bodyOf(mail: string): string {
  const encoded = mail.slice(mail.indexOf('\n\n') + 2);
  return Buffer.from(encoded, 'base64').toString('utf8');
}

test('whatever the text, no header begins in it, and no line is too long', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.string({ unit: 'grapheme' }),
      (text, line) => {
        const mail = formatMail({ ...message, text, lines: [line] }, ['ops@example.com'], 'abc');
        const head = mail.slice(0, mail.indexOf('\n\n')).split('\n');
        const names = head.filter((one) => !one.startsWith(' ')).map((one) => one.split(':')[0]);
        expect(names).toEqual([
          'To',
          'Subject',
          'Date',
          'Message-ID',
          'Auto-Submitted',
          'X-Pullyu-Level',
          'Importance',
          'MIME-Version',
          'Content-Type',
          'Content-Transfer-Encoding',
        ]);
        expect(/^[\x20-\x7e\n]*$/.test(mail)).toBe(true);
        expect(Math.max(...mail.split('\n').map((one) => one.length))).toBeLessThan(400);
      },
    ),
    { numRuns: 100 },
  );
});
