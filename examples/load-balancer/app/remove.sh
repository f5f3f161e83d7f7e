#!/bin/sh
# Undoes serve.sh: this host is no longer one for the shop.
set -eu
. lib/service.sh
cd "$PULLYU_STATE_DIR"
stop_service shop
rm -rf server.mjs shop.log "${PULLYU_ROOT:-}/srv/shop"
echo "the shop is stopped and removed"
