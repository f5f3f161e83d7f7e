/** A repository with an action of each kind, and an independent witness: what really ran, written by the actions themselves. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Change } from './repo.ts';
import { type TempFolder, tempFolder } from './temp.ts';
import { until } from './until.ts';

export const KINDS = ['again', 'once', 'probed'] as const;
export type KindName = (typeof KINDS)[number];

const WORK = `#!/bin/sh
set -eu
text=$(cat text)
echo "begin $PULLYU_ACTION $text $PULLYU_RUN_ID" >> "$WITNESS/runs"
while [ -e "$WITNESS/hold-$PULLYU_ACTION" ]; do sleep 0.02; done
echo "$text" > "$PULLYU_STATE_DIR/done"
echo "end $PULLYU_ACTION $text $PULLYU_RUN_ID" >> "$WITNESS/runs"
`;

const NEEDED = `#!/bin/sh
test "$(cat text)" != "$(cat "$PULLYU_STATE_DIR/done" 2>/dev/null)"
`;

export interface Attempt {
  readonly action: KindName;
  readonly text: string;
  readonly run: string;
  readonly ended: boolean;
}

export interface Witness extends Disposable {
  /** The first commit. `extra`: more of pullyu.yaml for each action, in YAML's flow form. */
  repository(text: string): Change;
  /** Every start in order, with whether it came to its end. */
  attempts(): Attempt[];
  of(action: KindName, text: string): Attempt[];
  /** Actions of these kinds (default all) that are begun from now on stay at work until `release`. */
  hold(...kinds: KindName[]): void;
  release(): void;
  /** Waits until the action is at work on this text. */
  untilBegun(action: KindName, text: string): Promise<Attempt>;
}

/** `again` is idempotent, `once` is run at most once for each text, `probed` has a check. In this order. */
export function createWitness(): Witness {
  const temp: TempFolder = tempFolder('witness');
  const file = join(temp.path, 'runs');
  writeFileSync(file, '');
  const common = (more: string) =>
    `{run: bin/work.sh, paths: [bin/work.sh, text], env: {WITNESS: ${temp.path}}, retry: {delay: 100ms, max: 200ms}${more}}`;
  const attempts = () => {
    const found = new Map<string, Attempt>();
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      const [word, action, text, run] = line.split(' ');
      if (run === undefined) continue;
      const key = `${run} ${word === 'begin' ? found.size : ''}`;
      if (word === 'begin') {
        // The same run begun twice stays visible as two attempts.
        found.set(found.has(run) ? key : run, { action: action as KindName, text: text!, run, ended: false });
      } else if (found.has(run)) found.set(run, { ...found.get(run)!, ended: true });
    }
    return [...found.values()];
  };
  const of = (action: KindName, text: string) =>
    attempts().filter((one) => one.action === action && one.text === text);
  return {
    repository: (text) => ({
      files: {
        'pullyu.yaml': [
          'actions:',
          `  again: ${common('')}`,
          `  once: ${common(', kind: once')}`,
          `  probed: ${common(', kind: check, check: bin/needed.sh')}`,
          '',
        ].join('\n'),
        text: `${text}\n`,
        // Enough files for a checkout to have a middle.
        ...Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`files/${i}`, `${i}\n`])),
      },
      scripts: { 'bin/work.sh': WORK, 'bin/needed.sh': NEEDED },
      message: `text ${text}`,
    }),
    attempts,
    of,
    hold: (...kinds) => {
      for (const kind of kinds.length > 0 ? kinds : KINDS) writeFileSync(join(temp.path, `hold-${kind}`), '');
    },
    release: () => {
      for (const kind of KINDS) rmSync(join(temp.path, `hold-${kind}`), { force: true });
    },
    untilBegun: (action, text) =>
      until(() => of(action, text).at(-1), { what: `${action} to be at work on ${text}`, found: attempts }),
    [Symbol.dispose]: () => temp[Symbol.dispose](),
  };
}

let serial = 0;

/** A next text, and files that change with it. */
export function nextText(): { text: string; change: Change } {
  serial += 1;
  const text = `v${serial}`;
  return {
    text,
    change: {
      files: {
        text: `${text}\n`,
        ...Object.fromEntries(
          Array.from({ length: 10 }, (_, i) => [`files/${(serial * 7 + i) % 40}`, `${text}\n`]),
        ),
      },
      message: `text ${text}`,
    },
  };
}
