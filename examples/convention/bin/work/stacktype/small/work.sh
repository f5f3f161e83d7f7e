#!/bin/sh
# At every look, on hosts of every stack that this template made (stacktype=small).
set -eu
. bin/layer.sh
put_settings 40-stacktype settings/stacktype-small.conf
