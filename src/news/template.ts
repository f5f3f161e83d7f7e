/** The body of a webhook, made of a template. Pure. */
import { type Message, messageJson } from './channel.ts';

const FIELD = /\{(text|lines|level|host|at|json)\}/g;

/** `{json}` is a whole value; the other fields stand inside a JSON string, and are escaped for it. */
export function fillTemplate(template: string, message: Message): string {
  const values = messageJson(message);
  return template.replace(FIELD, (_, field: string) => {
    if (field === 'json') return JSON.stringify(values);
    const value = values[field as keyof typeof values];
    return inString(typeof value === 'string' ? value : value.join('\n'));
  });
}

function inString(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
