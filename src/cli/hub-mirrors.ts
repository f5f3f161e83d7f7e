/** What the options of `pullyu hub` say about mirrors. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseDuration } from '../config/duration.ts';
import { PullyuError } from '../errors.ts';
import { parseRemoteUrl } from '../git/remote-url.ts';
import type { MirrorSettings } from '../hub/mirror.ts';
import { isRepositoryName } from '../hub/route.ts';

export interface MirrorOptions {
  /** `NAME=URL` each. */
  readonly mirror: readonly string[];
  readonly mirrorInterval: string;
  /** `NAME=FILE` each. */
  readonly mirrorCredentials: readonly string[];
  readonly hookSecret: readonly string[];
}

export interface WantedMirror extends MirrorSettings {
  readonly hookSecret: string | null;
}

/** @throws PullyuError `usage` */
export function parseMirrors(o: MirrorOptions, cwd: string): WantedMirror[] {
  const intervalMs = parseDuration(o.mirrorInterval);
  if (intervalMs === null || intervalMs < 1_000) {
    throw new PullyuError(
      'usage',
      `expected a duration of 1s or more for --mirror-interval, found ${JSON.stringify(o.mirrorInterval)}`,
    );
  }
  const urls = pairsOf('--mirror', 'URL', o.mirror);
  const files = (option: string, texts: readonly string[]) => {
    const pairs = pairsOf(option, 'FILE', texts);
    for (const [name, text] of pairs) {
      if (!urls.has(name))
        throw new PullyuError('usage', `expected ${option} for a mirror, found none of the name ${name}`);
      const file = resolve(cwd, text);
      if (!statSync(file, { throwIfNoEntry: false })?.isFile())
        throw new PullyuError('usage', `expected a file for ${option} ${name}, found none at ${file}`);
      pairs.set(name, file);
    }
    return pairs;
  };
  const credentials = files('--mirror-credentials', o.mirrorCredentials);
  const secrets = files('--hook-secret', o.hookSecret);
  return [...urls].map(([name, url]) => {
    checkUrl(name, url);
    return {
      name,
      url,
      intervalMs,
      credentials: credentials.get(name) ?? null,
      hookSecret: secrets.get(name) ?? null,
    };
  });
}

function pairsOf(option: string, what: string, texts: readonly string[]): Map<string, string> {
  const pairs = new Map<string, string>();
  for (const text of texts) {
    const at = text.indexOf('=');
    const name = text.slice(0, Math.max(0, at));
    if (at === -1 || !isRepositoryName(name) || at === text.length - 1) {
      // A URL may hold a secret by mistake: it is not repeated.
      throw new PullyuError('usage', `expected ${option} NAME=${what}, found something else`, {
        hint: 'NAME as in the URL of the hub without .git, such as it or team/it',
      });
    }
    if (pairs.has(name)) throw new PullyuError('usage', `expected ${option} once for ${name}, found two`);
    pairs.set(name, text.slice(at + 1));
  }
  return pairs;
}

function checkUrl(name: string, text: string): void {
  const url = parseRemoteUrl(text);
  if (!url.ok)
    throw new PullyuError('usage', `--mirror ${name}: ${url.trouble.message}`, {
      ...(url.trouble.hint === null ? {} : { hint: url.trouble.hint }),
    });
  if (['http', 'https', 'file'].includes(url.value.protocol)) return;
  throw new PullyuError(
    'usage',
    `expected http, https or a path for --mirror ${name}, found ${url.value.protocol}`,
    {
      hint: 'most forges serve the same repository over https',
    },
  );
}
