/** Which refs of a status repository a host may write. Pure. */
import { CONFLICTS, HOSTS, isRefName, PRESENCE, ROSTER } from '../presence/git-refs.ts';
import type { PushCommand } from './push-commands.ts';

/**
 * The first ref of a push that is not this host's, or null when all are: its history, its presence, its claim to its name, and
 * the mark that there is news. A host removes nothing but its claims.
 */
export function foreignRef(host: string, commands: readonly PushCommand[]): string | null {
  if (!isRefName(host)) return commands[0]?.ref ?? null;
  const own = [HOSTS + host, PRESENCE + host, ROSTER];
  const claims = `${CONFLICTS}${host}/`;
  for (const command of commands) {
    const isRemoval = /^0+$/.test(command.new);
    const isOwn = command.ref.startsWith(claims) || (own.includes(command.ref) && !isRemoval);
    if (!isOwn) return command.ref;
  }
  return null;
}
