#!/bin/sh
# Copies every archive that the other place does not have yet. What is not there today is tried again later.
set -eu
. db/settings.sh

[ -d "$elsewhere" ] || {
  echo "expected $elsewhere to be mounted, found nothing there" >&2
  exit 75 # Try again later; this never parks the action.
}
rm -f "$elsewhere"/*.part
for archive in "$backups"/db-*.tar.gz; do
  name=${archive##*/}
  [ -f "$archive" ] || continue
  [ -f "$elsewhere/$name" ] && continue
  cp "$archive" "$elsewhere/$name.part"
  cmp "$archive" "$elsewhere/$name.part"
  mv "$elsewhere/$name.part" "$elsewhere/$name"
  echo "copied $name"
done
keep_newest "$keep_elsewhere" "$elsewhere"
