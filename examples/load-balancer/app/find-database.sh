#!/bin/sh
# Writes down where the database is: one line "ADDRESS PORT", which the shop reads at each request. The one in use stays in use as long as
# it lives; then the next takes its place.
set -eu
. lib/partners.sh
file=${PULLYU_ROOT:-}/srv/shop/database

mkdir -p "$(dirname "$file")"
partners db 5432 | sed 's/^[^ ]* //' >"$PULLYU_STATE_DIR/databases.txt"
if [ ! -s "$PULLYU_STATE_DIR/databases.txt" ]; then
  # Not forgotten: nobody may be able to tell that it lives, and yet it does.
  echo "no database lives; this runs again as soon as one does"
elif [ -f "$file" ] && grep -qxFf "$file" "$PULLYU_STATE_DIR/databases.txt"; then
  echo "the database is still at $(cat "$file")"
else
  head -n 1 "$PULLYU_STATE_DIR/databases.txt" >"$file.next"
  mv "$file.next" "$file"
  echo "the database is now at $(cat "$file")"
fi
