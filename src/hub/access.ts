/** May this request do that? Tokens are looked up at each one, so that a revoked one is worth nothing at once. */
import type { Clock } from '../system/clock.ts';
import { parseAuthorization } from './authorization.ts';
import { createGuessBrake } from './guess-brake.ts';
import type { HubEvent } from './hub-event.ts';
import type { GitService } from './route.ts';
import { ANSWERS, type TextAnswer, textAnswer } from './text-answer.ts';
import { mayPush, mayRead, recognizeToken, type Token } from './token.ts';
import { createTokenSource } from './token-file.ts';

/** Allowed with this token, or as it is for everybody (null); or what is answered. */
export type Decision = { readonly token: Token | null } | { readonly refused: TextAnswer };

export interface Access {
  /** @param header Authorization. @param address Of the client. @throws PullyuError when the list of tokens cannot be read. */
  decide(header: string | null, repository: string, service: GitService, address: string): Decision;
  /** The same question where only a plain yes is of use: a no has no consequences, `decide` has to say it. */
  isAllowed(header: string | null, repository: string, service: GitService): boolean;
  /** Somebody has shown a secret that is wrong. @param answer What it is told the first times. */
  wrongSecret(address: string, answer: TextAnswer): TextAnswer;
}

export interface AccessOptions {
  readonly repos: string;
  readonly anonymousRead: boolean;
  readonly clock: Clock;
  readonly tell: (event: HubEvent) => void;
}

export function createAccess({ repos, anonymousRead, clock, tell }: AccessOptions): Access {
  const source = createTokenSource(repos, clock.monotonic);
  const brake = createGuessBrake();

  function wrongSecret(address: string, answer: TextAnswer): TextAnswer {
    const waitMs = brake.wrong(address, clock.now());
    if (waitMs === 0) return answer;
    tell({ type: 'guessing', address });
    const seconds = Math.ceil(waitMs / 1000);
    return textAnswer(429, `too many wrong secrets came from your address; wait ${seconds} s`, {
      'Retry-After': String(seconds),
      Connection: 'close',
    });
  }

  return {
    wrongSecret,
    decide(header, repository, service, address) {
      const text = parseAuthorization(header);
      if (text === null) {
        const isOpen = anonymousRead && service === 'git-upload-pack' && header === null;
        return isOpen ? { token: null } : { refused: ANSWERS.tokenMissing };
      }
      const now = clock.now();
      const token =
        recognizeToken(text, source.tokens(), now) ?? recognizeToken(text, source.tokens(true), now);
      // Also where none is needed: its owner wants to know.
      if (token === null) return { refused: wrongSecret(address, ANSWERS.tokenWrong) };
      const mayLook = mayRead(token, repository) || anonymousRead;
      if (service === 'git-upload-pack' ? mayLook : mayPush(token, repository) !== 'none') return { token };
      return { refused: mayLook ? ANSWERS.noWrite : ANSWERS.noRepository };
    },
    isAllowed(header, repository, service) {
      if (header === null) return anonymousRead && service === 'git-upload-pack';
      const text = parseAuthorization(header);
      const token = text === null ? null : recognizeToken(text, source.tokens(), clock.now());
      if (token === null) return false;
      return service === 'git-upload-pack'
        ? mayRead(token, repository)
        : mayPush(token, repository) !== 'none';
    },
  };
}
