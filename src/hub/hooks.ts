/** Hooks of forges as they come in: held against their secret while they flow, and each taken once. */
import { createHash, createHmac } from 'node:crypto';
import { readFileOrNull } from '../system/files.ts';
import type { HubMirror } from './hub-mirrors.ts';
import { readBody } from './request-body.ts';
import { ANSWERS, type TextAnswer } from './text-answer.ts';
import { isProven, readHookProof } from './webhook.ts';

export interface Hooks {
  /** @param mirror null: there is none of that name, which looks like a wrong secret. @throws BodyRefused */
  take(request: Request, mirror: HubMirror | null): Promise<TextAnswer>;
}

/** What GitHub sends at most. It is not kept: only sums of it are. */
const BODY_MAX_BYTES = 26 * 2 ** 20;
/** A hook that is sent again after that costs one question to the forge. */
const REMEMBERED_MS = 3_600_000;
const REMEMBERED_MAX = 10_000;

/** @param monotonic Milliseconds that only grow. */
export function createHooks(stallMs: number, monotonic: () => number): Hooks {
  const seen = new Map<string, number>();

  /** Not by the delivery's id: that is in a header, which nobody has signed. */
  function isNew(body: string): boolean {
    const now = monotonic();
    for (const [key, at] of seen) {
      if (now - at < REMEMBERED_MS && seen.size < REMEMBERED_MAX) break;
      seen.delete(key);
    }
    if (seen.has(body)) return false;
    seen.set(body, now);
    return true;
  }

  return {
    async take(request, mirror) {
      const proof = readHookProof(request.headers);
      const secret = mirror?.hookSecret == null ? '' : (readFileOrNull(mirror.hookSecret) ?? '').trim();
      if (proof === null || mirror === null || secret === '') return ANSWERS.hookForged;
      const hmac = createHmac('sha256', secret);
      const sum = createHash('sha256').update(`${mirror.name}\n`);
      for await (const piece of readBody(request, { maxBytes: BODY_MAX_BYTES, stallMs })) {
        hmac.update(piece);
        sum.update(piece);
      }
      if (!isProven(proof, secret, hmac.digest('hex'))) return ANSWERS.hookForged;
      if (proof.isPing) return ANSWERS.hookPing;
      if (!isNew(sum.digest('hex'))) return ANSWERS.hookReplayed;
      mirror.poke();
      return ANSWERS.hookTaken;
    },
  };
}
