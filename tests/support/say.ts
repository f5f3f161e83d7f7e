/** The smallest repository that proves something: an action `say` appends `text` to a file, once per change of it. */

import type { TestHost } from './host.ts';
import type { Change } from './repo.ts';

const PULLYU_YAML = `actions:
  say:
    run: say.sh
    paths: [say.sh, text]
`;
const SAY = `#!/bin/sh
set -eu
cat text >> "$PULLYU_STATE_DIR/said"
`;

/** The first commit. Later ones are `say(text)`. */
export function sayRepository(text: string): Change {
  return {
    files: { 'pullyu.yaml': PULLYU_YAML, text: `${text}\n` },
    scripts: { 'say.sh': SAY },
    message: `say ${text}`,
  };
}

export function say(text: string): Change {
  return { files: { text: `${text}\n` }, message: `say ${text}` };
}

/** What was said on that host so far, in order. */
export function said(host: TestHost, repo = 'it'): string[] {
  const text = host.read(`var/lib/pullyu/repos/${repo}/state/say/said`) ?? '';
  return text.split('\n').filter(Boolean);
}
