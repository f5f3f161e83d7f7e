#!/bin/sh
# Shows the newest commit of the application beside the site.
set -eu
site=${PULLYU_ROOT:-}/srv/application
mkdir -p "$site/preview"
cp index.html "$site/preview/index.html.new"
mv "$site/preview/index.html.new" "$site/preview/index.html"
