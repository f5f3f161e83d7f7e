#!/bin/sh
# Stands between the agent and one run, so that the agent may die, be upgraded or be restarted by the very script that runs.
#
#   shim.sh RUN_FOLDER TREE given|file COMMAND [ARGUMENT...]
#
# `file`: the environment of the command is in RUN_FOLDER/environment, which is removed; `given`: it is ours.
#
# RUN_FOLDER/groups      control groups, a path a line. `given`: the action joins them, we do not. `file`: those of our unit, in which
#                        we are ourselves, written by us.
# RUN_FOLDER/limits-hit  what the kernel counted in them, when it is not nothing.
# RUN_FOLDER/process  made exclusively: who makes it decides whether the run begins (a later agent that finds none makes it
#                     itself, and then this shim does not begin). Lines `shim PID START` and `action PID START`, the latter
#                     written just before the command is executed.
# RUN_FOLDER/result   a line `exit CODE`, complete as soon as the file is there. result.tmp exists before, with room for
#                     it, so that a full disk loses no result. It counts when we die before it has its name.
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
    while IFS=: read -r _pullyu_shim _pullyu_names _pullyu_group; do
      case ",$_pullyu_names," in
        ,,) _pullyu_group=/sys/fs/cgroup$_pullyu_group ;;
        *,memory,*) _pullyu_group=/sys/fs/cgroup/memory$_pullyu_group ;;
        *,pids,*) _pullyu_group=/sys/fs/cgroup/pids$_pullyu_group ;;
        *) continue ;;
      esac
      [ ! -f "$_pullyu_group/cgroup.procs" ] || printf '%s\n' "$_pullyu_group"
    done </proc/self/cgroup >"$1/groups"
    # The limits of the unit are ours too, and it is we who write the result.
    { printf '%s\n' -1000 >/proc/self/oom_score_adj; } 2>/dev/null
  fi

  # The fork in front, not behind `&`: that would make the action deaf to INT and QUIT.
  (
    trap - HUP INT QUIT TERM
    cd "$2" || exit 125
    unset OLDPWD
    if [ "$3" = file ]; then
      { printf '0\n' >/proc/self/oom_score_adj; } 2>/dev/null
    elif [ -f "$1/groups" ]; then
      while read -r _pullyu_group; do
        printf '0\n' >"$_pullyu_group/cgroup.procs" || exit 125
      done <"$1/groups"
    fi
    identify action || exit 125
    exec 3>&-
    unset _pullyu_shim _pullyu_names _pullyu_group
    shift 3
    exec "$@"
  )
  set -- "$1" $? "$3"

  exec 3>&-
  # No process is needed for it: at its limit the run leaves us none.
  if [ -f "$1/groups" ]; then
    while read -r _pullyu_group; do
      for _pullyu_names in memory.events memory.oom_control pids.events; do
        [ -r "$_pullyu_group/$_pullyu_names" ] || continue
        while read -r _pullyu_shim _pullyu_count; do
          case "$_pullyu_names $_pullyu_shim" in
            'pids.events max') _pullyu_shim=forks ;;
            'memory.'*' oom_kill') ;;
            *) continue ;;
          esac
          [ "$_pullyu_count" = 0 ] || printf '%s %s\n' "$_pullyu_shim" "$_pullyu_count" >>"$1/limits-hit"
        done <"$_pullyu_group/$_pullyu_names"
      done
    done <"$1/groups"
  fi
  printf 'exit %s\n' "$2" 1<>"$1/result.tmp"
  command -p sync "$1/result.tmp"
  command -p mv -f "$1/result.tmp" "$1/result"
  # What a unit that failed at its limits has left is ended with it, and so are we: the agent in its sandbox cannot do that at once.
  if [ "$3" = file ] && [ "$2" != 0 ] && [ -s "$1/limits-hit" ]; then
    while read -r _pullyu_group; do
      [ ! -f "$_pullyu_group/cgroup.kill" ] || printf '1\n' >"$_pullyu_group/cgroup.kill"
    done <"$1/groups"
  fi
  exit "$2"
}
