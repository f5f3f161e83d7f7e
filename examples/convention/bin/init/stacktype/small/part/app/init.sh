#!/bin/sh
# Included by bin/init/common/init.sh.
echo "init of part app in stacktype small"
