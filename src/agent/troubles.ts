/** The trouble of one repo: it begins, lasts and ends, and each of these is told once. */
import type { EventSink } from '../model/event.ts';
import type { LastingTrouble, Trouble, TroubleCode } from '../model/trouble.ts';

/** `contact`: no remote answers. `content`: an answer, or our own side, does not allow to go on. */
export type TroubleArea = 'contact' | 'content';

const CONTENT: ReadonlySet<TroubleCode> = new Set([
  'rewritten',
  'lagging',
  'disk-full',
  'read-only',
  'no-permission',
  'clone-broken',
  'limit',
  'hostile-tree',
  'config',
  'git-failed',
  'git-missing',
  'git-too-old',
]);

/** Their text depends on the commit alone: another text means that somebody pushed, and wants to know what is wrong now. */
const OF_A_COMMIT: ReadonlySet<TroubleCode> = new Set(['config', 'hostile-tree']);

export function areaOf(code: TroubleCode): TroubleArea {
  return CONTENT.has(code) ? 'content' : 'contact';
}

export interface Troubles {
  /** null ends what there was in this area. While the agent is ending no trouble begins: what is cut off then is none. */
  set(area: TroubleArea, problem: Trouble | null): void;
  in(area: TroubleArea): LastingTrouble | null;
  /** The one to show: without contact nothing else can change. */
  current(): LastingTrouble | null;
}

export function createTroubles(o: {
  repo: string;
  known: LastingTrouble | null;
  now: () => number;
  emit: EventSink;
  /** Of the agent's end. */
  signal?: AbortSignal;
}): Troubles {
  const lasting: Record<TroubleArea, LastingTrouble | null> = { contact: null, content: null };
  if (o.known) lasting[areaOf(o.known.code)] = o.known;
  return {
    set(area, problem) {
      const before = lasting[area];
      if (problem === null) {
        lasting[area] = null;
        if (before) o.emit({ type: 'trouble-ended', repo: o.repo, trouble: before, endedAt: o.now() });
        return;
      }
      if (o.signal?.aborted) return;
      const same = before?.code === problem.code;
      const after = { ...problem, since: same ? before.since : o.now(), count: same ? before.count + 1 : 1 };
      lasting[area] = after;
      if (same && !(OF_A_COMMIT.has(problem.code) && before.message !== problem.message)) return;
      if (before && !same) o.emit({ type: 'trouble-ended', repo: o.repo, trouble: before, endedAt: o.now() });
      o.emit({ type: 'trouble-began', repo: o.repo, trouble: after });
    },
    in: (area) => lasting[area],
    current: () => lasting.contact ?? lasting.content,
  };
}
