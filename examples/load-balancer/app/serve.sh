#!/bin/sh
# Starts the shop of this commit in place of the one before. examples/web-app shows how to do that without a gap; here the balancer
# sends everybody to the other hosts in the meantime.
set -eu
. lib/service.sh
node=${PULLYU_LABEL_NODE:-node}
port=${PULLYU_LABEL_PORT:-8080}

command -v "$node" >/dev/null || {
  echo "expected the program node on this host, found none; install it, or give the host the label node=PATH" >&2
  exit 78
}

mkdir -p "${PULLYU_ROOT:-}/srv/shop"
cp app/server.mjs "$PULLYU_STATE_DIR/"
cd "$PULLYU_STATE_DIR"
stop_service shop
start_service shop env NAME="$PULLYU_HOST" RELEASE="$PULLYU_COMMIT" ADDRESS="${PULLYU_LABEL_ADDRESS:-}" PORT="$port" \
  DATABASE="${PULLYU_ROOT:-}/srv/shop/database" "$node" "$PULLYU_STATE_DIR/server.mjs"
wait_for_line shop 10 "on port" || {
  echo "the shop does not start; it said:" >&2
  head -n 5 shop.log >&2
  stop_service shop
  exit 1
}
echo "the shop of $PULLYU_COMMIT answers on port $port"
