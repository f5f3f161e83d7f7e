#!/bin/sh
# Puts the shop of this commit into service: copy it, start it, ask it, then let it take the place of the old one.
# A release that does not answer never replaces one that does. May be cut off and run again at any point.
set -eu
. lib/service.sh
node=${PULLYU_LABEL_NODE:-node}
port=${PULLYU_LABEL_PORT:-8080}
release=$PULLYU_STATE_DIR/releases/$PULLYU_RUN_ID

command -v "$node" >/dev/null || {
  echo "expected the program node on this host, found none; install it, or give the host the label node=PATH" >&2
  exit 78 # No later attempt can mend that: a human is needed.
}

answers() { "$node" "$release/answers.mjs" "$1" "$2" "$PULLYU_COMMIT" "$(cat next.pid)"; }

give_up() {
  echo "$1; it said:" >&2
  head -n 5 next.log | sed "s|file://$PWD/||" >&2
  stop_service next
  rm -rf "$release"
  exit 1
}

# The tree belongs to pullyu and changes with the next commit; the server gets files of its own.
mkdir -p "$PULLYU_STATE_DIR/releases"
cp -R apps/shop "$release"
cd "$PULLYU_STATE_DIR"

# The new server answers on a socket of its own at once, and on the port as soon as that is free.
stop_service next # left by an attempt that was cut off
rm -f next.socket
start_service next env NAME="$PULLYU_HOST" RELEASE="$PULLYU_COMMIT" PORT="$port" SOCKET=next.socket "$node" "$release/server.mjs"
answers next.socket 10 || give_up "the new release does not answer, the old one stays in service"
stop_service shop
answers "$port" 3 || give_up "port $port was not to be had"
mv next.pid shop.pid
mv next.log shop.log
rm -f next.socket

# Run ids sort by time: the three newest releases are kept.
for old in $(ls releases | sort -r | tail -n +4); do rm -rf "releases/$old"; done
echo "the shop of $PULLYU_COMMIT answers on port $port"
