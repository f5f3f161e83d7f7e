/** The user as whom an action runs. */
import { execFileSync } from 'node:child_process';
import { userInfo } from 'node:os';
import { readFileOrNull } from '../system/files.ts';

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

/** Our own. A user id without an entry in the user database (in a container) gets the root folder as home. */
export function ownAccount(): Account {
  const uid = process.geteuid?.() ?? 0;
  try {
    const { username, gid, homedir, shell } = userInfo();
    return { name: username, uid, gid, home: homedir, shell: shell || '/bin/sh' };
  } catch {
    return { name: String(uid), uid, gid: process.getegid?.() ?? 0, home: '/', shell: '/bin/sh' };
  }
}

/** null when this host knows no such user. Asks the whole user database (LDAP too) when /etc/passwd does not know it. */
export function findAccount(name: string): Account | null {
  const local = parseAccount(readFileOrNull('/etc/passwd') ?? '', name);
  if (local !== null || !/^[A-Za-z0-9_][A-Za-z0-9_.@-]*$/.test(name)) return local;
  try {
    const found = execFileSync('getent', ['passwd', name], {
      timeout: 5_000,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return parseAccount(found.toString('utf8'), name);
  } catch {
    return null;
  }
}

/** The entry of `name` in the text of a passwd file. */
export function parseAccount(text: string, name: string): Account | null {
  for (const line of text.split('\n')) {
    const [user, , uid, gid, , home, shell] = line.split(':');
    if (user !== name || !/^\d+$/.test(uid ?? '') || !/^\d+$/.test(gid ?? '')) continue;
    return { name, uid: Number(uid), gid: Number(gid), home: home || '/', shell: shell || '/bin/sh' };
  }
  return null;
}
