#!/bin/sh
# Starts the database of this example: a server that tells everybody who comes its name. A real one is found in the same way.
set -eu
. lib/service.sh
node=${PULLYU_LABEL_NODE:-node}
port=${PULLYU_LABEL_PORT:-5432}

command -v "$node" >/dev/null || {
  echo "expected the program node on this host, found none; install it, or give the host the label node=PATH" >&2
  exit 78
}

cp db/server.mjs "$PULLYU_STATE_DIR/"
cd "$PULLYU_STATE_DIR"
stop_service database
start_service database env NAME="$PULLYU_HOST" ADDRESS="${PULLYU_LABEL_ADDRESS:-}" PORT="$port" "$node" "$PULLYU_STATE_DIR/server.mjs"
wait_for_line database 10 "on port" || {
  echo "the database does not start; it said:" >&2
  head -n 5 database.log >&2
  stop_service database
  exit 1
}
echo "the database answers on port $port"
