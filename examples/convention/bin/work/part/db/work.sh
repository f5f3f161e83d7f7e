#!/bin/sh
# At every look, on hosts with the fact nodepart=db.
set -eu
. bin/layer.sh
put_settings 20-part settings/part-db.conf
