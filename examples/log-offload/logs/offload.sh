#!/bin/sh
# Compresses old and large logs into the archive. A log is removed or emptied only after its archive could be read back.
set -eu
. logs/settings.sh
now=$(date -u +%Y%m%dT%H%M%SZ)
mkdir -p "$archive"
rm -f "$archive"/*.part # left by an attempt that was cut off

# store FILE: its archive is complete when this returns.
store() {
  name=$(echo "${1#"$logs"/}" | tr / _)
  gzip -c "$1" >"$archive/$name.part"
  gzip -t "$archive/$name.part"
  mv "$archive/$name.part" "$archive/$name-$now.gz"
  echo "stored $1 as $name-$now.gz"
}

list_old | while read -r file; do
  store "$file"
  rm -f "$file"
done

# The program that writes to it keeps the file open: it is emptied in place. Lines written in this very moment are lost.
list_large | while read -r file; do
  store "$file"
  : >"$file"
done

list_expired | while read -r file; do
  rm -f "$file"
  echo "removed $file, older than $archive_days days"
done
