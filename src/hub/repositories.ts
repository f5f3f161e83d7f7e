/** The bare repositories below one folder, by name. */
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import { createRepository, type Repository, type RepositoryOptions } from './repository.ts';
import { isRepositoryName } from './route.ts';

export interface Repositories {
  /**
   * null: there is none of that name. A text: why this one cannot be served.
   * @param name As in a URL, without `.git`.
   */
  find(name: string): Repository | string | null;
}

/** @param top Absolute. @param onFound Called with the folder of each repository when it is first asked for. */
export function createRepositories(
  top: string,
  o: RepositoryOptions,
  onFound: (folder: string) => void = () => {},
): Repositories {
  const known = new Map<string, { readonly repository: Repository; readonly ino: number }>();
  const inside = realpathSync(top);
  return {
    find(name) {
      if (!isRepositoryName(name)) return null;
      const path = join(inside, `${name}.git`);
      const stats = statSync(path, { throwIfNoEntry: false });
      if (!stats?.isDirectory()) {
        known.delete(name);
        return null;
      }
      const before = known.get(name);
      // Another folder under the same name is another repository.
      if (before !== undefined && before.ino === stats.ino) return before.repository;
      // A symbolic link must not lead out of what was given to us.
      const folder = realpathSync(path);
      if (!folder.startsWith(inside + sep)) return null;
      const kind = readKind(folder);
      if (kind === null) return null;
      if (kind.refs !== 'files')
        return `this repository keeps its refs as "${kind.refs}", which the hub does not read`;
      const repository = createRepository({ name, folder, objectFormat: kind.objectFormat }, o);
      known.set(name, { repository, ino: stats.ino });
      onFound(folder);
      return repository;
    },
  };
}

/** What `git init` wrote into its config; null when this is no bare repository. */
function readKind(folder: string): { readonly refs: string; readonly objectFormat: string } | null {
  for (const name of ['objects', 'refs'])
    if (!statSync(join(folder, name), { throwIfNoEntry: false })?.isDirectory()) return null;
  let config: string;
  try {
    config = readFileSync(join(folder, 'config'), 'utf8');
    readFileSync(join(folder, 'HEAD'));
  } catch {
    return null;
  }
  const extension = (key: string) =>
    new RegExp(`^\\s*${key}\\s*=\\s*(\\S+)`, 'im').exec(config)?.[1]?.toLowerCase();
  return { refs: extension('refstorage') ?? 'files', objectFormat: extension('objectformat') ?? 'sha1' };
}
