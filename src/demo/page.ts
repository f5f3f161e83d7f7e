/** The page of the shop, as a visitor sees it. */
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { createServer } from 'node:net';

export interface Page {
  readonly headline: string;
  readonly hours: string;
  /** Who made it. */
  readonly host: string;
  /** The commit that it was deployed from. */
  readonly release: string;
}

const ANSWER_MS = 2_000;
const PAGE_MAX = 64 * 1024;

/** @returns null when nobody answers, or with no page. */
export async function fetchPage(url: string): Promise<Page | null> {
  try {
    const request = get(url, { agent: false, timeout: ANSWER_MS });
    request.on('timeout', () => request.destroy(new Error('no answer')));
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text = (text + chunk).slice(0, PAGE_MAX);
    const inside = (tag: string) => new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(text)?.[1] ?? '';
    const header = (name: string) => [response.headers[name] ?? ''].flat().join();
    if (response.statusCode !== 200) return null;
    return {
      headline: inside('h1'),
      hours: inside('p'),
      host: header('x-host'),
      release: header('x-release'),
    };
  } catch {
    return null;
  }
}

/** A port of this machine that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new TypeError('expected a TCP address');
  return address.port;
}
