import { formatShellCommand } from './shell-quote.ts';

export interface FirstBootOptions {
  /** A shell command that puts `pullyu` (and, where the packages do not, node) on the machine; null: its image has it. */
  readonly install: string | null;
  /** The words after `pullyu bootstrap`. */
  readonly bootstrap: readonly string[];
}

/**
 * The script that a machine runs at its first boot. It waits for a network that comes late, can be run again by hand,
 * and says on the console what was expected when it gives up. Everything after it is the first look.
 */
export function renderFirstBootScript(options: FirstBootOptions): string {
  return `#!/bin/sh
# The first boot of a pullyu host, made by "pullyu cloud-init". Running it again does no harm.
set -u
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
HOME=\${HOME:-/root}
LANG=C.UTF-8
DEBIAN_FRONTEND=noninteractive
export PATH HOME LANG DEBIAN_FRONTEND
umask 022
exec </dev/null

# again CODES COMMAND...: up to ten times while it exits with one of the codes (any: every failure), waiting longer each time.
again() {
  codes=$1 pause=5
  shift
  for attempt in 1 2 3 4 5 6 7 8 9 10; do
    "$@" && return 0
    code=$?
    case "$codes" in any) ;; *" $code "*) ;; *) return $code ;; esac
    echo "pullyu: attempt $attempt ended with $code, next one in $pause s" >&2
    sleep $pause
    [ $pause -ge 60 ] || pause=$((pause * 2))
  done
  return $code
}
give_up() {
  echo "error: $1" >&2
  echo "hint: $2; then run $0 again" >&2
  exit 1
}

${options.install === null ? '' : renderInstall(options.install)}command -v pullyu >/dev/null ||
  give_up 'expected pullyu on this machine, found none' 'use an image that has it, or "pullyu cloud-init --install COMMAND"'
command -v git >/dev/null || give_up 'expected git, found none' 'install git'
node -e 'const [major, minor] = process.versions.node.split("."); process.exit(major > 20 || (major == 20 && minor >= 19) ? 0 : 1)' ||
  give_up "expected node 20.19 or newer, found $(node --version 2>&1)" 'install a newer node (pullyu cloud-init --install COMMAND)'

# 3: no remote could be reached; 5: busy; 124: it took too long. After anything else the heartbeat goes on, or a human is needed.
again ' 3 5 124 ' ${formatShellCommand(['pullyu', 'bootstrap', ...options.bootstrap])}
`;
}

function renderInstall(command: string): string {
  return `install_pullyu() {
  # In a shell of its own, so that nothing in it changes this one.
  ${formatShellCommand(['sh', '-ec', command])}
}
again any install_pullyu || give_up 'pullyu could not be installed' 'see the lines above'
`;
}
