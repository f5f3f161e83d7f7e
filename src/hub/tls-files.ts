/** Certificate and key of the hub, read again when they are renewed: no connection is lost, and no restart is needed. */
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { PullyuError } from '../errors.ts';
import { stampOfFile } from '../system/file-stamp.ts';

export interface TlsPaths {
  /** PEM: the certificate first, then those that lead to its authority. */
  readonly cert: string;
  readonly key: string;
}

export interface TlsPair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface TlsFiles {
  /** @throws PullyuError when they cannot be read, or do not belong together. */
  read(): TlsPair;
  /** Calls back with each new pair that is good. One that is not good is passed over: the old one stays. */
  follow(use: (pair: TlsPair) => void, everyMs?: number): () => void;
}

const CHECK_EVERY_MS = 10_000;

export function createTlsFiles(paths: TlsPaths): TlsFiles {
  const stampOf = () => `${stampOfFile(paths.cert)} ${stampOfFile(paths.key)}`;
  let stamp = '';
  const read = (): TlsPair => {
    try {
      stamp = stampOf();
      const pair = { cert: readFileSync(paths.cert), key: readFileSync(paths.key) };
      createSecureContext(pair);
      return pair;
    } catch (error) {
      const what = `expected a certificate and its key in ${paths.cert} and ${paths.key}`;
      throw new PullyuError('usage', `${what}: ${(error as Error).message}`, {
        hint: 'both in PEM, readable by this user, and made for each other',
        cause: error,
      });
    }
  };
  return {
    read,
    follow(use, everyMs = CHECK_EVERY_MS) {
      const timer = setInterval(() => {
        if (stampOf() === stamp) return;
        try {
          use(read());
        } catch {
          // Half renewed, perhaps: the next time it is whole.
          stamp = '';
        }
      }, everyMs);
      timer.unref();
      return () => clearInterval(timer);
    },
  };
}
