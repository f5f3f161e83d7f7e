/** Submodules, for repos whose configuration asks for them. Level by level, so that each URL is looked at before git sees it. */
import { existsSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import { printable } from '../model/printable.ts';
import { fail, ok, type Result, trouble } from '../model/trouble.ts';
import type { RemoteSettings } from './clone.ts';
import { createCloneGit } from './clone-git.ts';
import { parseRemoteUrl } from './remote-url.ts';
import { troubleFromGit } from './stderr.ts';
import { parseNames } from './tree-listing.ts';

const DEPTH_MAX = 8;
const UPDATE_TIMEOUT_MS = 30 * 60_000;

export interface Submodule {
  readonly name: string;
  readonly path: string;
  readonly url: string;
}

/** `git config -z --list` of a .gitmodules. Entries without path or URL are left out, as git does. */
export function parseSubmodules(output: Buffer): Submodule[] {
  const found = new Map<string, { path?: string; url?: string }>();
  for (const field of parseNames(output)) {
    const match = /^submodule\.([^\n]*)\.(path|url)\n([\s\S]*)$/.exec(field.toString());
    const [, name, key, value] = match ?? [];
    if (name === undefined || key === undefined || value === undefined) continue;
    found.set(name, { ...found.get(name), [key]: value });
  }
  return [...found].flatMap(([name, { path, url }]) =>
    path === undefined || url === undefined ? [] : [{ name, path, url }],
  );
}

/** Why it is refused, or null. Relative URLs are relative to the remote, which was checked. */
export function refuseSubmodule(submodule: Submodule, protocols: readonly string[]): string | null {
  if (submodule.path.startsWith('-') || submodule.url.startsWith('-')) return 'a path or URL like an option';
  if (submodule.name.split(/[/\\]/).includes('..')) return 'a name with ".."';
  if (/\p{Cc}/u.test(submodule.url + submodule.path + submodule.name)) return 'a control character';
  if (/^\.\.?\//.test(submodule.url)) return null;
  const url = parseRemoteUrl(submodule.url);
  if (!url.ok) return url.trouble.message;
  return protocols.includes(url.value.protocol) ? null : `the protocol ${url.value.protocol}`;
}

/**
 * Brings the submodules of a checked-out tree to the commits that it names.
 * @param tree Has a `.git`, a folder.
 * @param o keepEdits: what somebody edited in them is not thrown away; then it is a trouble when it is in the way.
 */
export async function updateSubmodules(
  tree: string,
  remote: RemoteSettings,
  o: { readonly keepEdits?: boolean } = {},
): Promise<Result<null>> {
  const { access } = remote;
  const protocols = [...new Set([access.protocol, 'https'])];
  // The environment's list outranks every setting.
  const env = { ...access.env, GIT_ALLOW_PROTOCOL: protocols.join(':') };
  const settings = { ...remote, access: { ...access, env } };

  const level = async (folder: string, depth: number): Promise<Result<null>> => {
    const file = join(folder, '.gitmodules');
    if (lstatSync(file, { throwIfNoEntry: false })?.isFile() !== true) return ok(null);
    if (depth > DEPTH_MAX) {
      return fail(trouble('limit', `expected submodules at most ${DEPTH_MAX} levels deep, found more`));
    }
    const git = createCloneGit(join(folder, '.git'), async () => ok(settings));
    const listed = await git.read(['config', '-f', file, '-z', '--list'], { doing: 'read .gitmodules' });
    if (!listed.ok) return listed;
    const submodules = parseSubmodules(listed.value);
    for (const submodule of submodules) {
      const reason = refuseSubmodule(submodule, protocols);
      if (reason === null) continue;
      const message = `the submodule "${printable(submodule.name)}" is refused: ${reason}`;
      return fail(trouble('hostile-tree', message, { hint: 'correct .gitmodules and push' }));
    }
    const updated = await git.run(
      [
        ...[`--work-tree=${folder}`, 'submodule', '--quiet', 'update', '--init', '--checkout'],
        ...(o.keepEdits === true ? [] : ['--force']),
      ],
      { doing: 'update submodules', cwd: folder, timeoutMs: UPDATE_TIMEOUT_MS },
    );
    if (!updated.ok) return updated;
    if (updated.value.ended !== 'exited' || updated.value.exitCode !== 0) {
      return fail(troubleFromGit(updated.value, { doing: 'update submodules', remote: remote.url }));
    }
    for (const submodule of submodules) {
      const below = join(folder, submodule.path);
      if (!existsSync(join(below, '.git'))) continue;
      const done = await level(below, depth + 1);
      if (!done.ok) return done;
    }
    return ok(null);
  };
  return level(tree, 1);
}
