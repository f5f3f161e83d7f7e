#!/bin/sh
# Is there anything to do? Exit 0: yes. 1: no. Asked at every look, so it must be cheap.
set -eu
. logs/settings.sh
[ -d "$logs" ] || exit 1
[ -n "$(list_old | head -n 1)" ] && exit 0
[ -n "$(list_large | head -n 1)" ] && exit 0
[ -d "$archive" ] && [ -n "$(list_expired | head -n 1)" ] && exit 0
exit 1
