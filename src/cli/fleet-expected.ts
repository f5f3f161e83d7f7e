/** hosts.yaml for a command: of a file that is named, of the trees of this host, or of the working directory one stands in. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { HOSTS_FILE, parseExpectedHosts } from '../config/hosts-yaml.ts';
import { HOSTS_MAX_BYTES } from '../config/limits.ts';
import { PullyuError } from '../errors.ts';
import { readUserGit } from '../git/user-git.ts';
import type { HostConfig } from '../model/host.ts';
import type { ExpectedHost } from '../model/presence.ts';
import { printable } from '../model/printable.ts';
import { repoPaths } from '../system/paths.ts';
import { readBytes } from './checkout-files.ts';
import type { CommandContext } from './context.ts';

/**
 * @param file Of --hosts; null: find one.
 * @returns null when there is none: then whoever published first under a name is believed.
 * @throws PullyuError only for a file that was named. One that was found and cannot be read is passed over with a note: Ansible's
 *   inventory, say, has the same name.
 */
export async function readExpected(
  file: string | null,
  config: HostConfig | null,
  context: CommandContext,
): Promise<readonly ExpectedHost[] | null> {
  if (file !== null) return readHosts(resolve(context.cwd, file), file);
  const places = config === null ? await placesHere(context) : placesOf(config, context);
  const found: ExpectedHost[][] = [];
  for (const place of places) {
    if (!existsSync(place)) continue;
    try {
      found.push(readHosts(place, place));
    } catch (error) {
      if (!(error instanceof PullyuError)) throw error;
      context.out.notice(
        `note: ${printable(error.message)}; it is not used. ${error.lines[0] ?? ''}`.trimEnd(),
      );
    }
  }
  return found.length === 0 ? null : found.flat();
}

function placesOf(config: HostConfig, { paths }: CommandContext): string[] {
  return config.repos.map(({ name }) => join(repoPaths(paths.state, name).current, HOSTS_FILE));
}

async function placesHere({ cwd, env }: CommandContext): Promise<string[]> {
  const top = await readUserGit(['rev-parse', '--show-toplevel'], { cwd, env, doing: 'find the checkout' });
  return top.ok && top.value !== '' ? [join(top.value, HOSTS_FILE)] : [];
}

function readHosts(path: string, name: string): ExpectedHost[] {
  const bytes = readBytes(path, HOSTS_MAX_BYTES + 1);
  if (bytes === null)
    throw new PullyuError('usage', `expected a ${HOSTS_FILE}, found no file: ${printable(name)}`);
  return parseExpectedHosts(bytes, name);
}
