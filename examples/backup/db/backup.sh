#!/bin/sh
# Packs the data into one archive, reads it back, and only then gives it its name: an archive with a name is complete.
set -eu
. db/settings.sh

[ -d "$data" ] || {
  echo "expected the data in $data, found nothing there" >&2
  exit 78 # A human is needed: an empty backup would push out the good ones.
}
mkdir -p "$backups"
rm -f "$backups"/*.part # left by an attempt that was cut off
archive=$backups/db-$(date -u +%Y%m%dT%H%M%SZ).tar.gz
tar -C "$data" -czf "$archive.part" .
gzip -t "$archive.part"
mv "$archive.part" "$archive"
keep_newest "$keep" "$backups"
echo "backed up $data to $archive ($(wc -c <"$archive") bytes)"
