/** Where a redirect of `info/refs` leads: pure. */

import { printable } from '../model/printable.ts';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import { parseRemoteUrl, type RemoteUrl } from './remote-url.ts';

export const INFO_REFS = '/info/refs?service=git-upload-pack';
export const REDIRECTS_MAX = 3;

export function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

/**
 * The repository's new URL. Never from https to http, and only to another `info/refs`: anything else is a page for people.
 * Whether credentials may go there is decided by `isTrustedHost`, not here.
 */
export function decideRedirect(from: RemoteUrl, location: string | undefined): Result<RemoteUrl> {
  const refused = (found: string, hint: string) =>
    fail<never>(
      trouble('redirected', `expected git at ${from.text}, found a redirect ${found}`, {
        hint,
        remote: from.text,
      }),
    );
  if (location === undefined || !URL.canParse(location, from.text)) {
    return refused('that leads nowhere', 'check the URL');
  }
  const url = new URL(location, `${from.text.replace(/\/+$/, '')}${INFO_REFS}`);
  // Without its query, which may hold somebody's session.
  const shown = printable(`${url.protocol}//${url.host}${url.pathname}`, 160);
  if (!url.href.endsWith(INFO_REFS)) {
    const where = url.hostname === from.host ? 'not-git' : 'redirected';
    return fail(
      trouble(where, `expected git at ${from.text}, found a redirect to ${shown}, which is no repository`, {
        hint: 'check the URL; a redirect to a login page means that credentials are missing',
        remote: from.text,
      }),
    );
  }
  if (from.protocol === 'https' && url.protocol !== 'https:') {
    return refused(`from https to ${shown}`, 'a remote of https is never followed to anything less safe');
  }
  const next = parseRemoteUrl(url.href.slice(0, -INFO_REFS.length));
  if (!next.ok || (next.value.protocol !== 'https' && next.value.protocol !== 'http')) {
    return refused(`to ${shown}, which cannot be followed`, 'write the new URL into the remotes of the repo');
  }
  return ok(next.value);
}
