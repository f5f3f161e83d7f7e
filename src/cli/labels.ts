import { PullyuError } from '../errors.ts';
import type { Labels } from '../model/labels.ts';

/** `key=value` words. The last of two with one key wins. @throws PullyuError `usage`. */
export function parseLabels(words: readonly string[], option: string): Labels {
  return Object.fromEntries(
    words.map((word) => {
      const match = /^([A-Za-z0-9][\w.-]*)=(.+)$/.exec(word);
      if (match) return [match[1]!, match[2]!];
      throw new PullyuError('usage', `expected key=value after ${option}, found ${JSON.stringify(word)}`, {
        hint: `such as ${option} part=app deployment=prod`,
      });
    }),
  );
}
