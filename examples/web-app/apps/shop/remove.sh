#!/bin/sh
# Undoes deploy.sh: this host is no longer one for the shop.
set -eu
. lib/service.sh
cd "$PULLYU_STATE_DIR"
stop_service next
stop_service shop
rm -rf releases next.socket ./*.log
echo "the shop is stopped and removed"
