import { PullyuError } from '../errors.ts';
import { isLabelKey, type Labels } from '../model/labels.ts';

/** `key=value` words. The last of two with one key wins. @throws PullyuError `usage`. */
export function parseLabels(words: readonly string[], option: string): Labels {
  return Object.fromEntries(
    words.map((word) => {
      const match = /^([^=]+)=(.+)$/.exec(word);
      if (match && isLabelKey(match[1]!)) return [match[1]!, match[2]!];
      throw new PullyuError('usage', `expected key=value after ${option}, found ${JSON.stringify(word)}`, {
        hint: `such as ${option} part=app deployment=prod`,
      });
    }),
  );
}
