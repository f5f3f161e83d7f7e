# Daemons of a script: their process ids and logs are files in the working directory. To be included.

# start_service NAME COMMAND...
start_service() {
  name=$1
  shift
  "$@" >"$name.log" 2>&1 </dev/null &
  echo $! >"$name.pid"
}

# stop_service NAME: TERM, after five seconds KILL. A process that only happens to have the same number is left alone.
stop_service() {
  [ -f "$1.pid" ] || return 0
  pid=$(cat "$1.pid")
  tries=0
  while is_ours "$pid"; do
    case $tries in
      0) kill -TERM "$pid" 2>/dev/null || true ;;
      50) kill -KILL "$pid" 2>/dev/null || true ;;
    esac
    tries=$((tries + 1))
    sleep 0.1
  done
  rm -f "$1.pid"
}

is_ours() {
  tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" | grep -qF "$PULLYU_STATE_DIR"
}

# is_running NAME
is_running() {
  [ -f "$1.pid" ] && is_ours "$(cat "$1.pid")"
}

# wait_for_line NAME SECONDS TEXT: until what was started has said that on its log; false when it ended, or did not for so long.
wait_for_line() {
  tries=$(($2 * 10))
  while ! grep -qsF "$3" "$1.log" && has_command_line "$(cat "$1.pid")" && [ "$tries" -gt 0 ]; do
    tries=$((tries - 1))
    sleep 0.1
  done
  grep -qsF "$3" "$1.log"
}

# What has ended may still be listed, but without a command line.
has_command_line() {
  [ "$(tr -d '\0' 2>/dev/null <"/proc/$1/cmdline")" ]
}
