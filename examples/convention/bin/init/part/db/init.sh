#!/bin/sh
# Included by bin/init/common/init.sh.
echo "init of part db"
mkdir -p "${PULLYU_ROOT:-}/srv/db"
