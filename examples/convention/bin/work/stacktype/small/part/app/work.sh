#!/bin/sh
# At every look, on the app hosts of every stack of this type.
set -eu
. bin/layer.sh
put_settings 60-stacktype-part settings/stacktype-small-part-app.conf
