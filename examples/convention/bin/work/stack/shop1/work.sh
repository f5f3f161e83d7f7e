#!/bin/sh
# At every look, on hosts of this one stack (stackkey=shop1).
set -eu
. bin/layer.sh
put_settings 30-stack settings/stack-shop1.conf
