#!/bin/sh
# At every look, on every host.
set -eu
. bin/layer.sh
put_settings 10-common settings/common.conf
