#!/bin/sh
# Included by bin/init/common/init.sh.
echo "init of stacktype small"
