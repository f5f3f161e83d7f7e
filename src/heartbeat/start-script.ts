/** The script by which a heartbeat starts the program: the installed one, or the last one that worked. */
import { dirname } from 'node:path';
import type { Launcher } from './places.ts';
import { INSTALLED_FILES, PROVEN, STRIKES_MAX, TRIAL } from './proven.ts';
import { quoteShell } from './shell-quote.ts';

export interface StartScriptOptions {
  readonly launcher: Launcher;
  readonly root: string | null;
  readonly state: string;
}

/**
 * Shell, and not a part of the package: it must work when the package does not. An installed program that is not the one of which the
 * state folder has a copy (proven.ts) is on trial: it has some starts to reach a remote. When it did not, the copy is started in its
 * place, and the installed one gets another start after an hour, two, four, up to a day, or when its files change.
 */
export function renderStartScript({ launcher, root, state }: StartScriptOptions): string {
  const files = INSTALLED_FILES.map((file) => `"$1/${file}"`).join(' ');
  return `#!/bin/sh
# Starts pullyu for its heartbeat: sh start.sh agent, or sh start.sh look --heartbeat.
# Written by "pullyu install", removed by "pullyu uninstall".

bin=${quoteShell(launcher.bin)}
package=${quoteShell(dirname(dirname(launcher.bin)))}
state=${quoteShell(state)}
proven=$state/${PROVEN}
trial=$state/${TRIAL}
root=${quoteShell(root ?? '')}
# Says that we have started it, and which program is the installed one.
PULLYU_HEARTBEAT=$package
export PULLYU_HEARTBEAT

${findNode(launcher)}
# Which files these are: an upgrade changes at least one of the numbers.
identity() {
  set -- $(stat -L -c '%i %s %Z' ${files} 2>/dev/null)
  echo "$*"
}
begun_at() {
  set -- $(cat "/proc/$1/stat" 2>/dev/null)
  echo "\${22}"
}
start() {
  program=$1
  shift
  [ -z "$root" ] || set -- --root "$root" "$@"
  exec "$node" "$program" "$@"
}
say() {
  echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) warning: $*" >&2
}

installed=$(identity "$package")
known=
# Only what we have written ourselves is started.
if [ -d "$proven" ] && [ ! -L "$proven" ] && [ -O "$proven" ] && [ -O "$proven/bin/pullyu" ] && [ -O "$proven/dist/main.cjs" ]; then
  known=$(cat "$proven/identity" 2>/dev/null)
fi
if [ -z "$known" ] || [ "$known" = "$installed" ]; then
  start "$bin" "$@"
fi

strikes=0 at=0 tried=
[ ! -f "$trial" ] || read -r strikes at tried <"$trial"
case "$strikes$at" in '' | *[!0-9]*) tried= ;; esac
[ "$tried" = "$installed" ] || strikes=0 at=0
now=$(date +%s)
if [ "$strikes" -ge ${STRIKES_MAX} ]; then
  wait=3600 n=$strikes
  while [ "$n" -gt ${STRIKES_MAX} ] && [ "$wait" -lt 86400 ]; do wait=$((wait * 2)) n=$((n - 1)); done
  [ "$wait" -le 86400 ] || wait=86400
  if [ "$now" -ge "$at" ] && [ "$now" -lt $((at + wait)) ]; then
    # Those that hang would hold the lock for ever.
    while read -r pid begun; do
      case "$pid" in '' | *[!0-9]*) continue ;; esac
      if [ "$pid" != $$ ] && [ -n "$begun" ] && [ "$(begun_at "$pid")" = "$begun" ]; then
        say "process $pid of the installed pullyu hangs: it is ended"
        kill -KILL "$pid"
      fi
    done <"$trial"
    say "the pullyu in $package did not reach a remote in ${STRIKES_MAX} starts: the last version that did is started in its place ($proven)"
    start "$proven/bin/pullyu" "$@"
  fi
fi
# Written before the start: whatever becomes of it, it counts. The program takes it back when it has worked.
{
  echo "$((strikes + 1)) $now $installed"
  [ "$strikes" = 0 ] || sed 1d "$trial" | tail -n ${STRIKES_MAX - 1}
  echo "$$ $(begun_at $$)"
} >"$trial.$$.tmp" 2>/dev/null && mv -f "$trial.$$.tmp" "$trial"
if [ "$strikes" -ge ${STRIKES_MAX} ]; then
  say "the pullyu in $package, which did not work, is tried again"
else
  say "the pullyu in $package is new: start $((strikes + 1)) of ${STRIKES_MAX} in which it has to reach a remote"
fi
start "$bin" "$@"
`;
}

/** Lines that set `node`. */
export function findNode(launcher: Launcher): string {
  return `node=${quoteShell(launcher.node)}
if [ ! -x "$node" ]; then
  echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) warning: $node is gone, looking for another node; hint: run pullyu install again"
  node=$(command -v node) || { echo 'error: there is no node on this machine'; exit 0; }
fi
`;
}
