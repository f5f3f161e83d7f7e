#!/bin/sh
# Makes the version that this repository names the current one: one rename, so there is no moment without a site.
set -eu
. application/settings.sh
commit=$(git -C "$clone" rev-parse --verify --quiet "$version^{commit}")
ln -sfn "releases/$commit" "$site/current.new"
mv -T "$site/current.new" "$site/current"
echo "the site is $version ($commit)"
