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
