/** Which question does a URL ask? Pure. What is not listed here is not there. */

export type GitService = 'git-upload-pack' | 'git-receive-pack';

export type Route =
  | { readonly kind: 'health' }
  /** `GET /mirrors`: how old each one is. */
  | { readonly kind: 'mirrors' }
  /** `POST /hooks/NAME`: the forge of this mirror has news. */
  | { readonly kind: 'hook'; readonly repository: string }
  /** `GET /NAME.git/info/refs?service=...`: what there is. */
  | { readonly kind: 'advertise'; readonly repository: string; readonly service: GitService }
  /** `POST /NAME.git/git-upload-pack`: the conversation itself. */
  | { readonly kind: 'talk'; readonly repository: string; readonly service: GitService }
  /** What a client without the smart protocol asks for: files of the repository. */
  | { readonly kind: 'dumb'; readonly repository: string }
  | { readonly kind: 'method'; readonly allow: string }
  | { readonly kind: 'unknown' };

const SEGMENT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
const SEGMENTS_MAX = 4;
const PATH_MAX = 1_000;
const UNKNOWN: Route = { kind: 'unknown' };

/**
 * A name of a repository: `it`, or with folders `team/it`. Each part begins with a letter or a digit, so there is no way up and
 * nothing hidden; a part that ends in `.git` would lead into another repository.
 */
export function isRepositoryName(name: string): boolean {
  const segments = name.split('/');
  return (
    segments.length <= SEGMENTS_MAX &&
    segments.every((one) => SEGMENT.test(one) && !/\.git$/i.test(one) && !one.includes('..'))
  );
}

/** @param target Path and query as they stand in the request line. Nothing is decoded: a name needs no escapes. */
export function parseRoute(method: string, target: string): Route {
  if (target.length > PATH_MAX) return UNKNOWN;
  const at = target.indexOf('?');
  const path = at === -1 ? target : target.slice(0, at);
  if (path === '/healthz')
    return method === 'GET' || method === 'HEAD'
      ? { kind: 'health' }
      : { kind: 'method', allow: 'GET, HEAD' };
  if (path === '/mirrors') return method === 'GET' ? { kind: 'mirrors' } : { kind: 'method', allow: 'GET' };
  if (path.startsWith('/hooks/')) {
    const repository = path.slice('/hooks/'.length);
    if (!isRepositoryName(repository)) return UNKNOWN;
    return method === 'POST' ? { kind: 'hook', repository } : { kind: 'method', allow: 'POST' };
  }
  const cut = path.indexOf('.git/');
  if (cut === -1) return UNKNOWN;
  const repository = path.slice(1, cut);
  if (!isRepositoryName(repository)) return UNKNOWN;
  const rest = path.slice(cut + '.git/'.length);
  const query = at === -1 ? '' : target.slice(at + 1);
  if (rest === 'git-upload-pack' || rest === 'git-receive-pack')
    return method === 'POST'
      ? { kind: 'talk', repository, service: rest }
      : { kind: 'method', allow: 'POST' };
  if (rest === 'info/refs') {
    if (method !== 'GET') return { kind: 'method', allow: 'GET' };
    const service = new URLSearchParams(query).get('service');
    if (service === 'git-upload-pack' || service === 'git-receive-pack')
      return { kind: 'advertise', repository, service };
    return { kind: 'dumb', repository };
  }
  return /^(?:HEAD|objects\/.*|info\/.*)$/.test(rest) ? { kind: 'dumb', repository } : UNKNOWN;
}
