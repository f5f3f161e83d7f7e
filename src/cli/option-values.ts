/** Values of options, checked while the command line is read. */
import { InvalidArgumentError } from '@commander-js/extra-typings';
import { isLabelKey } from '../model/labels.ts';

export function collectLabel(text: string, labels: Record<string, string>): Record<string, string> {
  const match = /^([^=]+)=(.+)$/.exec(text);
  if (match === null || !isLabelKey(match[1]!))
    throw new InvalidArgumentError(`expected key=value, found ${JSON.stringify(text)}`);
  return { ...labels, [match[1]!]: match[2]! };
}

export function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1)
    throw new InvalidArgumentError(`expected a number of 1 or more, found ${JSON.stringify(text)}`);
  return count;
}

export function collectText(text: string, texts: readonly string[]): string[] {
  return [...texts, text];
}
