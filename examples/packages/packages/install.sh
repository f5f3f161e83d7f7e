#!/bin/sh
# Installs what the lists of this host name and is not there yet: common.txt, then the list of its part.
# Nothing is removed: what is no longer in a list stays until somebody decides.
set -eu
cd packages

wanted=$(cat common.txt "${PULLYU_LABEL_PART:-none}.txt" 2>/dev/null | sed 's/#.*//' | tr -s ' \t' '\n' | sort -u)
missing=
for package in $wanted; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=
  [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || {
  echo "all packages are installed:" $wanted
  exit 0
}

echo "missing:$missing"
apt() { apt-get -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold "$@"; }
# Known packages come without asking the archive anew; what fails then may only need the newer lists.
# shellcheck disable=SC2086 # one argument for each package
apt install --yes --no-install-recommends $missing || {
  apt update
  apt install --yes --no-install-recommends $missing
}
