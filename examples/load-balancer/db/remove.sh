#!/bin/sh
# Undoes serve.sh: this host is no longer a database.
set -eu
. lib/service.sh
cd "$PULLYU_STATE_DIR"
stop_service database
rm -f server.mjs database.log
echo "the database is stopped and removed"
