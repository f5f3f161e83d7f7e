/** The roster from one reading to the next: of ten thousand hosts only those that changed are looked at again. */
import type { ExpectedHost, RosterMember } from '../model/presence.ts';
import { SILENT_BEATS } from '../model/presence.ts';
import { type Judged, newestOfEach } from './judged.ts';
import { type PictureOptions, pictureHost } from './picture-fleet.ts';
import { rosterOf } from './roster.ts';

export interface LiveRoster {
  /** By name: `rosterOf`. A member that did not change is the same object as before. */
  readonly members: readonly RosterMember[];
  /** The shortest heartbeat of all hosts that are believed; infinite when there is none. */
  readonly fastestMs: number;
}

export interface RosterMemo {
  of(judged: readonly Judged[], o: PictureOptions): LiveRoster;
}

/** What became of one host. */
interface Row {
  readonly judged: Judged;
  /** null: nobody may rely on it. */
  readonly member: RosterMember | null;
  /** From then on it is silent. */
  readonly until: number;
  readonly heartbeatMs: number;
}

interface Known extends PictureOptions {
  readonly rows: Row[];
  /** Of the rows, by the names of the hosts. */
  readonly order: readonly number[];
}

export function createRosterMemo(): RosterMemo {
  let known: Known | null = null;
  return {
    of(judged, o) {
      known = (known === null ? null : next(known, judged, o)) ?? anew(judged, o);
      let fastestMs = Number.POSITIVE_INFINITY;
      const members: RosterMember[] = [];
      for (const at of known.order) {
        const { member, heartbeatMs } = known.rows[at]!;
        if (heartbeatMs < fastestMs) fastestMs = heartbeatMs;
        if (member !== null) members.push(member);
      }
      return { members, fastestMs };
    },
  };
}

function anew(judged: readonly Judged[], o: PictureOptions): Known {
  const labels = labelsOf(o.expected);
  const rows = newestOfEach(judged).map((one) => rowOf(one, labels, o.now));
  const order = rows.map((_, at) => at);
  order.sort((a, b) => (rows[a]!.judged.host < rows[b]!.judged.host ? -1 : 1));
  return { ...o, rows, order };
}

/** null: there are other hosts, or other rules. */
function next(known: Known, judged: readonly Judged[], o: PictureOptions): Known | null {
  const { rows, expected } = known;
  if (expected !== o.expected || o.now < known.now || judged.length !== rows.length) return null;
  let labels: ReturnType<typeof labelsOf> | null = null;
  for (let at = 0; at < rows.length; at += 1) {
    const row = rows[at]!;
    const one = judged[at]!;
    if (row.judged === one && o.now <= row.until) continue;
    if (row.judged.host !== one.host) return null;
    labels ??= labelsOf(o.expected);
    rows[at] = rowOf(one, labels, o.now);
  }
  return { ...known, now: o.now };
}

function labelsOf(expected: readonly ExpectedHost[] | null): ReadonlyMap<string, ExpectedHost> {
  return new Map((expected ?? []).map((host) => [host.name, host]));
}

function rowOf(judged: Judged, listed: ReadonlyMap<string, ExpectedHost>, now: number): Row {
  const host = pictureHost(judged, listed.get(judged.host)?.labels, now);
  const heartbeatMs = host.presence?.heartbeatMs ?? Number.POSITIVE_INFINITY;
  const member = rosterOf([host])[0] ?? null;
  const silentAt = judged.lastContactAt + (judged.unseenMs ?? 0) + SILENT_BEATS * heartbeatMs;
  const until = member === null ? Number.POSITIVE_INFINITY : silentAt;
  return { judged, member, until, heartbeatMs };
}
