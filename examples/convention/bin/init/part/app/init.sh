#!/bin/sh
# Included by bin/init/common/init.sh.
echo "init of part app"
mkdir -p "${PULLYU_ROOT:-}/srv/app/data"
