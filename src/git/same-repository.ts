/** PURE: do two URLs name one repository, as far as it can be seen? Servers know the same one over ssh, https and by path. */
import { parseRemoteUrl } from './remote-url.ts';

/** A guess, for warnings: over different protocols the longer path may hold the folder that the server begins at. */
export function looksLikeSameRepository(a: string, b: string): boolean {
  const [one, other] = [parseRemoteUrl(a), parseRemoteUrl(b)];
  if (!one.ok || !other.ok || one.value.host !== other.value.host) return false;
  const [path, otherPath] = [segmentsOf(one.value.path), segmentsOf(other.value.path)];
  if (one.value.protocol === other.value.protocol)
    return one.value.port === other.value.port && path.join('/') === otherPath.join('/');
  const [short, long] = path.length < otherPath.length ? [path, otherPath] : [otherPath, path];
  return short.length > 0 && long.slice(-short.length).join('/') === short.join('/');
}

/** Without what servers do not care about. */
function segmentsOf(path: string): string[] {
  const plain = decoded(path)
    .toLowerCase()
    .replace(/\/+$/, '')
    .replace(/\.git$/, '');
  return plain.split('/').filter((segment) => segment !== '' && segment !== '.');
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
