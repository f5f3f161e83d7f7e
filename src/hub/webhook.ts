/**
 * A forge says that something was pushed. Who it is decides a secret: a signature over the body (GitHub, Gitea, Forgejo, Bitbucket), or
 * the secret itself in a header (GitLab). Pure.
 */
import { createHash, timingSafeEqual } from 'node:crypto';

export type Forge = 'github' | 'gitlab' | 'gitea' | 'bitbucket';

/** What the headers of a hook claim, to be held against the body. */
export interface HookProof {
  readonly forge: Forge;
  /** `hmac`: hex of HMAC-SHA256 over the body. `secret`: the secret. */
  readonly kind: 'hmac' | 'secret';
  readonly value: string;
  /** A question whether the hook works, or an event that moves no ref: nothing is fetched. */
  readonly isPing: boolean;
}

const HMAC = /^[0-9a-f]{64}$/;
/** Events that move refs, by what each forge calls them. */
const MOVES: Readonly<Record<Forge, readonly string[]>> = {
  github: ['push', 'create', 'delete'],
  gitea: ['push', 'create', 'delete'],
  gitlab: ['Push Hook', 'Tag Push Hook', 'System Hook'],
  bitbucket: ['repo:push', 'repo:refs_changed', 'mirror:repo_synchronized'],
};

/** null: none of these forges has sent it, or it is not signed. Signatures of SHA-1 are not taken. */
export function readHookProof(headers: { get(name: string): string | null }): HookProof | null {
  const gitea = headers.get('x-forgejo-signature') ?? headers.get('x-gitea-signature');
  if (gitea !== null)
    return hmac('gitea', gitea, headers.get('x-forgejo-event') ?? headers.get('x-gitea-event'));
  const github = headers.get('x-hub-signature-256');
  if (github !== null) return hmac('github', prefixed(github), headers.get('x-github-event'));
  const gitlab = headers.get('x-gitlab-token');
  if (gitlab !== null) {
    const isPing = !isMove('gitlab', headers.get('x-gitlab-event'));
    return { forge: 'gitlab', kind: 'secret', value: gitlab, isPing };
  }
  const bitbucket = headers.get('x-hub-signature');
  if (bitbucket !== null && headers.get('x-event-key') !== null)
    return hmac('bitbucket', prefixed(bitbucket), headers.get('x-event-key'));
  return null;
}

function hmac(forge: Forge, value: string, event: string | null): HookProof | null {
  return HMAC.test(value) ? { forge, kind: 'hmac', value, isPing: !isMove(forge, event) } : null;
}

function prefixed(value: string): string {
  return value.startsWith('sha256=') ? value.slice('sha256='.length) : '';
}

function isMove(forge: Forge, event: string | null): boolean {
  return event !== null && MOVES[forge].includes(event);
}

/** @param bodyHmac Hex of HMAC-SHA256 over the body, with the secret. */
export function isProven(proof: HookProof, secret: string, bodyHmac: string): boolean {
  const expected = proof.kind === 'hmac' ? bodyHmac : secret;
  // Of equal length, whatever was sent.
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(expected), digest(proof.value));
}
