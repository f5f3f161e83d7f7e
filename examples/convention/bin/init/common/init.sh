#!/bin/sh
# Called once, at the bootstrap, until it succeeds. It includes the init scripts of the more special layers, those that exist.
set -eu
. bin/layer.sh
mkdir -p "$settings"
echo "init of common"
part=$(fact nodepart)
stacktype=$(fact stacktype)
for layer in "part/$part" "stacktype/$stacktype" "stacktype/$stacktype/part/$part"; do
  # shellcheck source=/dev/null
  if [ -f "bin/init/$layer/init.sh" ]; then . "./bin/init/$layer/init.sh"; fi
done
