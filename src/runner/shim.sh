#!/bin/sh
# Stands between the agent and one run, so that the agent may die, be upgraded or be restarted by the very script that runs.
#
#   shim.sh RUN_FOLDER TREE given|file COMMAND [ARGUMENT...]
#
# `file`: the environment of the command is in RUN_FOLDER/environment, which is removed; `given`: it is ours.
#
# RUN_FOLDER/process  made exclusively: who makes it decides whether the run begins (a later agent that finds none makes it
#                     itself, and then this shim does not begin). Lines `shim PID START` and `action PID START`, the latter
#                     written just before the command is executed.
# RUN_FOLDER/result   a line `exit CODE`, complete as soon as the file is there. result.tmp exists before, with room for
#                     it, so that a full disk loses no result.
#
# All of it stands in braces: a shell reads a script as it goes, and an upgrade may replace this file meanwhile. Only
# parameters and variables with an odd name are used, because any other might be one of the action's. Signals are caught,
# not ignored: an ignored signal would stay ignored in the action, and could not be trapped there.
{
  trap : HUP INT QUIT TERM
  umask 022
  exec </dev/null >>"$1/output.log" 2>&1 || exit 125

  # Whoever opens /proc/self is meant by it. Words 1 and 22 of the line are pid and start time; our name has no space.
  identify() {
    read -r _pullyu_shim </proc/self/stat || return 1
    set -f
    set -- "$1" $_pullyu_shim
    set +f
    printf '%s %s %s\n' "$1" "$2" "${23}" >&3
  }

  set -C
  exec 3>"$1/process" || exit 125
  set +C
  identify shim || exit 125

  if [ "$3" = file ]; then
    . "$1/environment" || exit 125
    command -p rm -f "$1/environment"
  fi

  # The fork in front, not behind `&`: that would make the action deaf to INT and QUIT.
  (
    trap - HUP INT QUIT TERM
    cd "$2" || exit 125
    unset OLDPWD
    identify action || exit 125
    exec 3>&-
    unset _pullyu_shim
    shift 3
    exec "$@"
  )
  set -- "$1" $?

  exec 3>&-
  printf 'exit %s\n' "$2" 1<>"$1/result.tmp"
  command -p sync "$1/result.tmp"
  command -p mv -f "$1/result.tmp" "$1/result"
  exit "$2"
}
