/** The header Authorization of a request: a token, as Bearer or as the password of any user name. Pure. */

const BASIC = /^basic +([A-Za-z0-9+/=_-]+)\s*$/i;
const BEARER = /^bearer +(\S+)\s*$/i;
const LONGEST = 1_000;

/** The text of the token; null when there is none. A user name of `git`'s credential helpers is not looked at. */
export function parseAuthorization(header: string | null): string | null {
  if (header === null || header.length > LONGEST) return null;
  const bearer = BEARER.exec(header);
  if (bearer !== null) return bearer[1]!;
  const basic = BASIC.exec(header);
  if (basic === null) return null;
  const text = Buffer.from(basic[1]!, 'base64').toString('latin1');
  const colon = text.indexOf(':');
  if (colon === -1) return null;
  // `https://TOKEN@hub/...` has it as the user name.
  return text.slice(colon + 1) || text.slice(0, colon);
}
