#!/bin/sh
# Fetches the version of the application repository that this repository names: a tag, a branch or a commit.
set -eu
. application/settings.sh
remote=${PULLYU_LABEL_APPLICATION:-}
[ -n "$remote" ] || {
  echo "expected the label application=URL on this host, found none" >&2
  exit 78
}

[ -d "$clone" ] || {
  rm -rf "$clone.new"
  git init --quiet --bare "$clone.new"
  mv "$clone.new" "$clone"
}
# Nothing may wait for ever: not for a password, not for a line that went silent.
export GIT_TERMINAL_PROMPT=0
git -C "$clone" -c http.lowSpeedLimit=1000 -c http.lowSpeedTime=60 \
  fetch --quiet --tags --prune "$remote" '+refs/heads/*:refs/heads/*' || {
  echo "$remote could not be fetched" >&2
  exit 75 # Try again later, however often it takes.
}
commit=$(git -C "$clone" rev-parse --verify --quiet "$version^{commit}") || {
  echo "expected the version $version in $remote, found no such tag, branch or commit" >&2
  exit 1
}

# A release is complete when it has its name.
mkdir -p "$site/releases"
rm -rf "$site/releases"/*.part
[ -d "$site/releases/$commit" ] || {
  mkdir "$site/releases/$commit.part"
  git -C "$clone" archive "$commit" | tar -x -C "$site/releases/$commit.part"
  mv "$site/releases/$commit.part" "$site/releases/$commit"
}
echo "$version is $commit"
