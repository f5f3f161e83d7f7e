/** The mirrors of a hub, by name: what they refuse, and how old they are. */
import type { Mirror, MirrorState } from './mirror.ts';
import type { GitService } from './route.ts';
import { ANSWERS, type TextAnswer } from './text-answer.ts';

export interface HubMirror extends Pick<Mirror, 'state' | 'poke'> {
  readonly name: string;
  /** A file with the secret of its hooks; null: hooks are refused. */
  readonly hookSecret: string | null;
}

/** Nobody pushes to a mirror, and nobody is told that there is nothing while it was never fetched. */
export function refusalOfMirror(mirror: HubMirror | undefined, service: GitService): TextAnswer | null {
  if (mirror === undefined) return null;
  if (service === 'git-receive-pack') return ANSWERS.mirror;
  return mirror.state().isEmpty ? ANSWERS.mirrorEmpty : null;
}

/** `GET /mirrors`. @param now Milliseconds since 1970. */
export function mirrorsResponse(mirrors: readonly HubMirror[], now: number): Response {
  const body = { mirrors: mirrors.map((mirror) => shownOf(mirror.state(), now)) };
  return Response.json(body, { headers: { 'Cache-Control': 'no-store' } });
}

function shownOf(state: MirrorState, now: number) {
  const time = (at: number | null) => (at === null ? null : new Date(at).toISOString());
  return {
    name: state.name,
    contactAt: time(state.contactAt),
    ageSeconds: state.contactAt === null ? null : Math.max(0, Math.round((now - state.contactAt) / 1000)),
    changedAt: time(state.changedAt),
    trouble: state.trouble === null ? null : { code: state.trouble.code, message: state.trouble.message },
  };
}
