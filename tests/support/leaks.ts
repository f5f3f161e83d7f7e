/** What a host may have left behind: processes and files that nobody owns any more. */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type ProcessIdentity, readProcessStat } from '../../src/system/processes.ts';

export interface OwnedProcess {
  readonly identity: ProcessIdentity;
  readonly command: string;
  /** An ssh connection that is kept for the next look on purpose; it ends by itself. */
  readonly kept: boolean;
}

/**
 * Living processes that were started below the root: it stands in their environment, their arguments or their working
 * directory. That finds children also after they left their group, their session or their parent.
 */
export function processesOf(root: string): OwnedProcess[] {
  const found: OwnedProcess[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const command = readProc(pid, 'cmdline').replaceAll('\0', ' ').trim();
    const text = `${command}\0${readProc(pid, 'environ')}\0${workingFolder(pid)}`;
    const stat = readProcessStat(pid);
    if (!text.includes(root) || stat === null || stat.state === 'Z' || stat.state === 'X') continue;
    found.push({ identity: stat, command, kept: /^ssh: .*\[mux\]$/.test(command) });
  }
  return found;
}

/** Files below the state folder that no running program needs, as sentences. */
export function leftFiles(state: string, packsMax: number): string[] {
  const found: string[] = [];
  let packs = 0;
  for (const file of filesBelow(state)) {
    const path = relative(state, file);
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (path === 'lock') continue; // The kernel-held lock's file stays on purpose.
    if (/^runs\/[^/]+\/result\.tmp$/.test(path)) continue; // Of a run that was cut off: it goes with its folder.
    if (name.endsWith('.lock')) found.push(`lock: ${path}`);
    else if (name.startsWith('tmp_') || name.endsWith('.tmp') || name.includes('.tmp.'))
      found.push(`temporary: ${path}`);
    else if (name.endsWith('.pack')) packs += 1;
  }
  for (const repo of foldersIn(join(state, 'repos'))) {
    const clones = readdirSync(join(state, 'repos', repo)).filter((name) => name.startsWith('clone.git'));
    if (clones.length > 1) found.push(`clones of ${repo}: ${clones.join(', ')}`);
  }
  if (packs > packsMax) found.push(`${packs} packs, more than ${packsMax}`);
  return found;
}

/** Regular files; links are not followed. What vanishes meanwhile is skipped. */
function filesBelow(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const path = join(folder, name);
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats?.isDirectory()) return filesBelow(path);
    return stats?.isFile() ? [path] : [];
  });
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}

function workingFolder(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}
