/** A message in the words of the services that show it. What hosts say must not become a link, a format or a call of everybody. Pure. */
import type { Message } from './channel.ts';

const MARK: Readonly<Record<Message['level'], string>> = { critical: '[critical] ', chatty: '' };
const LINES_MAX = 20;

/** With `mrkdwn: false` only these three have a meaning, in links and in mentions such as `<!channel>`. */
export function slackBody(message: Message): string {
  const fit = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return JSON.stringify({ text: plainText(message, fit), mrkdwn: false });
}

/** Markdown; a mention is broken by an invisible space, for there is no escape. */
export function mattermostBody(message: Message): string {
  const fit = (text: string) => text.replace(/[\\`*_~[\]#>|]/g, '\\$&').replaceAll('@', '@\u200B');
  return JSON.stringify({ text: plainText(message, fit) });
}

function plainText({ level, text, lines }: Message, fit: (text: string) => string): string {
  const shown = lines.slice(0, LINES_MAX);
  const more = lines.length - shown.length;
  const all = [`${MARK[level]}${text}`, ...shown, ...(more > 0 ? [`and ${more} more`] : [])];
  return all.map(fit).join('\n');
}

export interface NtfyMessage {
  /** Name, value, name, value, ... */
  readonly headers: readonly string[];
  readonly body: string;
}

const TITLE_MAX = 120;

export function ntfyMessage({ level, text, lines }: Message): NtfyMessage {
  const isCritical = level === 'critical';
  return {
    headers: [
      'Title',
      encodeWord(text.length > TITLE_MAX ? `${text.slice(0, TITLE_MAX)}...` : text),
      'Priority',
      isCritical ? 'high' : 'low',
      'Tags',
      isCritical ? 'warning' : 'information_source',
    ],
    body: [...(text.length > TITLE_MAX || lines.length === 0 ? [text] : []), ...lines].join('\n'),
  };
}

/** For a header: ASCII as it is, anything else in words of RFC 2047, each short enough. */
export function encodeWord(text: string): string {
  const plain = text.replace(/\p{Cc}+/gu, ' ');
  if (/^[\x20-\x7e]*$/.test(plain) && !plain.includes('=?')) return plain;
  const words: string[] = [];
  let word = '';
  for (const char of plain) {
    if (Buffer.byteLength(word + char) > 42) {
      words.push(word);
      word = '';
    }
    word += char;
  }
  return [...words, word].map((one) => `=?UTF-8?B?${Buffer.from(one).toString('base64')}?=`).join(' ');
}
