/** Answers for people: git shows them line by line as `remote: ...`. */

export interface TextAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

const PLAIN = {
  'Content-Type': 'text/plain; charset=utf-8',
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
};

/** @param text What was expected and what to do, without secrets and without text of strangers. */
export function textAnswer(
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): TextAnswer {
  return { status, headers: { ...PLAIN, ...headers }, text: `${text}\n` };
}

export const ANSWERS = {
  healthy: textAnswer(200, 'ok'),
  unknown: textAnswer(404, 'there is nothing here; a repository is at /NAME.git'),
  noRepository: textAnswer(404, 'there is no such repository'),
  dumb: textAnswer(
    403,
    'only the smart protocol is spoken here; hint: use git 1.6.6 or newer, and no proxy that removes ?service=',
  ),
  tokenMissing: textAnswer(
    401,
    'a token is needed; hint: use it as the password, with any user name (pullyu hub token create)',
    { 'WWW-Authenticate': 'Basic realm="pullyu hub", charset="UTF-8"' },
  ),
  tokenWrong: textAnswer(401, 'this token is unknown, has expired, or was revoked', {
    'WWW-Authenticate': 'Basic realm="pullyu hub", charset="UTF-8"',
  }),
  noWrite: textAnswer(403, 'this token may not push here'),
  wrongType: textAnswer(415, 'expected the content type of git, found another one'),
  wrongEncoding: textAnswer(415, 'expected a body that is plain or gzip, found another encoding'),
  brokenBody: textAnswer(400, 'the body could not be read'),
  tooLarge: textAnswer(413, 'the request is larger than this server takes'),
  tooSlow: textAnswer(408, 'the request came too slowly'),
  mirror: textAnswer(403, 'this is a mirror: push to the repository that it is a mirror of'),
  mirrorEmpty: textAnswer(503, 'this mirror has not been fetched yet; try again', { 'Retry-After': '5' }),
  hookTaken: textAnswer(202, 'fetches'),
  hookPing: textAnswer(200, 'well'),
  hookForged: textAnswer(401, 'expected a hook that is signed with the secret of this mirror'),
  hookReplayed: textAnswer(409, 'this hook came before'),
  stopping: textAnswer(503, 'this hub is stopping; try again', { 'Retry-After': '2', Connection: 'close' }),
  gitFailed: textAnswer(500, 'git could not answer; the log of the hub says why'),
} as const;

export function methodAnswer(allow: string): TextAnswer {
  return textAnswer(405, `expected the method ${allow}`, { Allow: allow });
}

export function busyAnswer(seconds: number): TextAnswer {
  return textAnswer(503, `too many are being served; try again in ${seconds} s`, {
    'Retry-After': String(seconds),
  });
}

export function toResponse(answer: TextAnswer): Response {
  return new Response(answer.text, { status: answer.status, headers: answer.headers });
}
