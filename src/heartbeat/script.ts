import type { HeartbeatPlaces, Launcher } from './places.ts';
import { formatShellCommand, quoteShell } from './shell-quote.ts';
import { findNode } from './start-script.ts';

/** Of the log, and as much again of the one before it. */
export const HEARTBEAT_LOG_MAX_BYTES = 512 * 1024;

export interface ScriptOptions {
  readonly launcher: Launcher;
  /** `--root`, or null. */
  readonly root: string | null;
  /** Waits so long before it looks, so that machines on NTP do not all ask in the same second. */
  readonly offsetSeconds: number;
}

/** The one visible script that cron calls. It says nothing to cron, so that cron never sends a mail. */
export function renderHeartbeatScript(places: HeartbeatPlaces, options: ScriptOptions): string {
  const { launcher, root } = options;
  const look = [launcher.bin, ...(root === null ? [] : ['--root', root]), 'look', '--heartbeat'];
  return `#!/bin/sh
# The heartbeat of pullyu. One line of cron calls it every minute (${escapeComment(places.cronFile ?? 'crontab -l')}).
# Rename this file and the heartbeat stops; rename it back and it goes on.
# Written by "pullyu install", removed by "pullyu uninstall".

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LANG=C.UTF-8
export PATH LANG
umask 022

# Everything is said to the log. It is emptied in place, because a daemon may have it open.
log=${quoteShell(places.log)}
( : >>"$log" ) 2>/dev/null || log=/dev/null
if [ -f "$log" ] && [ "$(wc -c <"$log")" -gt ${HEARTBEAT_LOG_MAX_BYTES} ]; then
  cp "$log" "$log.1" 2>/dev/null
  ( : >"$log" ) 2>/dev/null
fi
exec </dev/null >>"$log" 2>&1

# Lines NAME=value, such as proxies: read like systemd does, never executed.
environment=${quoteShell(places.environmentFile)}
if [ -r "$environment" ]; then
  while IFS= read -r line || [ -n "$line" ]; do
    case "$line" in [A-Za-z_]*=*) ;; *) continue ;; esac
    name=\${line%%=*} value=\${line#*=}
    case "$name" in *[!A-Za-z0-9_]*) continue ;; esac
    case "$value" in
      \\"*\\") value=\${value#\\"} value=\${value%\\"} ;;
      \\'*\\') value=\${value#\\'} value=\${value%\\'} ;;
    esac
    export "$name=$value"
  done <"$environment"
fi

${options.offsetSeconds > 0 ? `# This host's share of the minute.\nsleep ${options.offsetSeconds}\n` : ''}# It knows what to do when an upgrade has left a program that does not work.
start=${quoteShell(places.startScript)}
[ ! -r "$start" ] || exec /bin/sh "$start" look --heartbeat
${findNode(launcher)}exec "$node" ${formatShellCommand(look)}
`;
}

function escapeComment(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '?');
}
