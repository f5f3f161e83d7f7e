#!/bin/sh
# At every look, on the app hosts of this one stack.
set -eu
. bin/layer.sh
put_settings 50-stack-part settings/stack-shop1-part-app.conf
