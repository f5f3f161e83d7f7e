#!/bin/sh
# Undoes balance.sh: this host is no longer a balancer.
set -eu
. lib/service.sh
cd "$PULLYU_STATE_DIR"
stop_service haproxy
rm -f ./*.cfg ./*.txt haproxy.sock
echo "the balancer is stopped and removed"
