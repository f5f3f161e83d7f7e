/** Channels that are reached by one POST: webhooks, Slack, Mattermost, ntfy. */
import { readFileSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import type { ChannelConfig } from '../model/host.ts';
import { failed, type Message, messageJson, type SendAnswer } from './channel.ts';
import { mattermostBody, ntfyMessage, slackBody } from './markup.ts';
import { post } from './post.ts';
import { fillTemplate, isJson } from './template.ts';

export type WebConfig = Extract<ChannelConfig, { readonly url: string | null }>;

export interface WebOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => number;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 15_000;
const FILE_MAX_BYTES = 64 * 1024;

export async function sendToWeb(
  config: WebConfig,
  message: Message,
  o: WebOptions,
  signal?: AbortSignal,
): Promise<SendAnswer> {
  try {
    const { body, headers } = bodyOf(config, message);
    return await post({
      url: readUrl(config),
      headers: [...headers, ...readHeaders(config)],
      body,
      timeoutMs: o.timeoutMs ?? TIMEOUT_MS,
      tlsCa: config.tlsCa,
      env: o.env,
      now: o.now(),
      signal,
    });
  } catch (error) {
    if (error instanceof Unusable) return failed(error.message);
    throw error;
  }
}

/** Something of the configuration cannot be used: the message names it, and holds no secret. */
class Unusable extends Error {}

function readText(file: string): string {
  try {
    const text = readFileSync(file, 'utf8');
    if (text.length > FILE_MAX_BYTES) throw new Unusable(`expected a small file, found ${file} to be large`);
    return text;
  } catch (error) {
    if (error instanceof Unusable) throw error;
    throw new Unusable(`cannot read ${file} (${errnoOf(error) ?? 'unknown'})`);
  }
}

function readUrl({ url, urlFile }: WebConfig): URL {
  const text = urlFile === null ? url! : readText(urlFile).trim();
  const parsed = URL.canParse(text) ? new URL(text) : null;
  const isFit =
    parsed !== null && /^https?:$/.test(parsed.protocol) && parsed.username === '' && parsed.password === '';
  if (!isFit) throw new Unusable(`expected an http or https URL without a user in ${urlFile}, found none`);
  return parsed;
}

function readHeaders({ tokenFile, headersFile }: WebConfig): string[] {
  const headers: string[] = [];
  if (tokenFile !== null)
    headers.push('Authorization', `Bearer ${headerValue(readText(tokenFile), tokenFile)}`);
  if (headersFile === null) return headers;
  for (const line of readText(headersFile).split(/\r?\n/)) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):(.*)$/.exec(line) ?? [];
    if (name === undefined)
      throw new Unusable(`expected lines "Name: value" in ${headersFile}, found another`);
    headers.push(name, headerValue(value!, headersFile));
  }
  return headers;
}

function headerValue(text: string, file: string): string {
  const value = text.trim();
  if (value === '' || !/^[\x20-\x7e]+$/.test(value))
    throw new Unusable(`expected one line of printable ASCII in ${file}, found something else`);
  return value;
}

const JSON_TYPE = ['Content-Type', 'application/json; charset=utf-8'] as const;
const TEXT_TYPE = ['Content-Type', 'text/plain; charset=utf-8'] as const;

function bodyOf(config: WebConfig, message: Message): { body: string; headers: readonly string[] } {
  switch (config.kind) {
    case 'slack':
      return { body: slackBody(message), headers: JSON_TYPE };
    case 'mattermost':
      return { body: mattermostBody(message), headers: JSON_TYPE };
    case 'ntfy': {
      const { body, headers } = ntfyMessage(message);
      return { body, headers: [...TEXT_TYPE, ...headers] };
    }
    case 'webhook': {
      const { template } = config;
      if (template === null) return { body: JSON.stringify(messageJson(message)), headers: JSON_TYPE };
      const body = fillTemplate('text' in template ? template.text : readText(template.file), message);
      return { body, headers: isJson(body) ? JSON_TYPE : TEXT_TYPE };
    }
  }
}
