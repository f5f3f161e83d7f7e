#!/bin/sh
# Runs the migrations that came with this commit, in the order of their numbers. The first time on a host: all of them.
set -eu
table=${PULLYU_ROOT:-}/srv/shop/products.csv
mkdir -p "${table%/*}"
export table

sort "$PULLYU_CHANGED_FILES" | grep '^db/migrations/.*\.sh$' | while read -r migration; do
  [ -f "$migration" ] || continue # removed by this commit
  case " ${SKIP:-} " in *" $migration "*) echo "skips $migration" && continue ;; esac
  echo "runs $migration"
  sh -eu "$migration" </dev/null || exit 1
done
