/** A message as a mail (RFC 5322). Headers hold nothing that could begin another one. Pure. */
import type { Message } from './channel.ts';
import { encodeWord } from './markup.ts';

/** Of one line of base64. */
const COLUMNS = 76;
const SUBJECT_MAX = 160;

/** @param id Makes the mail another one than any before. */
export function formatMail(message: Message, to: readonly string[], id: string): string {
  const { level, text, lines, host, at } = message;
  const subject = `[pullyu] ${text.length > SUBJECT_MAX ? `${text.slice(0, SUBJECT_MAX)}...` : text}`;
  const headers = [
    ['To', to.join(', ')],
    ['Subject', encodeWord(subject)],
    ['Date', new Date(at).toUTCString().replace('GMT', '+0000')],
    ['Message-ID', `<${id}@${host}>`],
    ['Auto-Submitted', 'auto-generated'],
    ['X-Pullyu-Level', level],
    ...(level === 'critical' ? [['Importance', 'high']] : []),
    ['MIME-Version', '1.0'],
    ['Content-Type', 'text/plain; charset=utf-8'],
    ['Content-Transfer-Encoding', 'base64'],
  ];
  const body = `${[text, ...(lines.length === 0 ? [] : ['', ...lines]), '', `-- `, `${host}, pullyu`].join('\n')}\n`;
  const encoded = Buffer.from(body.replaceAll('\n', '\r\n')).toString('base64');
  const wrapped = encoded.match(new RegExp(`.{1,${COLUMNS}}`, 'g')) ?? [];
  return `${headers.map(([name, value]) => `${name}: ${foldWords(value!)}`).join('\n')}\n\n${wrapped.join('\n')}\n`;
}

/** Lists of encoded words and of addresses may go on in the next line. */
function foldWords(value: string): string {
  if (value.length <= 70) return value;
  return value.replace(/\?= =\?/g, '?=\n =?').replace(/, /g, ',\n ');
}
