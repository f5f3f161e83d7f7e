#!/bin/sh
# At every look, on hosts with the fact nodepart=app.
set -eu
. bin/layer.sh
put_settings 20-part settings/part-app.conf
