#!/bin/sh
# Makes HAProxy's configuration anew from the roster, and hands it over without losing a connection. A configuration that HAProxy refuses
# never replaces one that works. May be cut off and run again at any point.
set -eu
. lib/service.sh
. lib/partners.sh
haproxy=${PULLYU_LABEL_HAPROXY:-haproxy}
bind=${PULLYU_LABEL_ADDRESS:-}:${PULLYU_LABEL_PORT:-80}

command -v "$haproxy" >/dev/null || {
  echo "expected the program haproxy on this host, found none; install it, or give the host the label haproxy=PATH" >&2
  exit 78 # No later attempt can mend that: a human is needed.
}

sed "s/@BIND@/$bind/" lb/haproxy.cfg >"$PULLYU_STATE_DIR/next.cfg"
partners app 8080 >"$PULLYU_STATE_DIR/apps.txt"
cd "$PULLYU_STATE_DIR"
while read -r name address port; do
  case $address in *:*) address="[$address]" ;; esac
  echo "  server $name $address:$port"
done <apps.txt >>next.cfg
names=$(cut -d ' ' -f 1 apps.txt | paste -s -d ' ' -)

if is_running haproxy; then
  # Rather servers that may be gone than none at all: the balancer asks each of them itself.
  [ "$names" ] || { echo "no app host lives; the configuration stays as it is" && exit 0; }
  ! cmp -s next.cfg haproxy.cfg || { echo "nothing to change, the balancer sends to: $names" && exit 0; }
  # The new process gets the open port from the old one, which then finishes what is under way.
  takeover="-x haproxy.sock -sf $(cat haproxy.pid)"
else
  takeover=
fi
"$haproxy" -c -f next.cfg >check.txt 2>&1 || {
  echo "HAProxy refuses the new configuration, what was in service stays; it said:" >&2
  head -n 10 check.txt >&2
  exit 1
}
# shellcheck disable=SC2086 # several words
"$haproxy" -D -f next.cfg -p "$PULLYU_STATE_DIR/haproxy.pid" $takeover
mv next.cfg haproxy.cfg
echo "the balancer at $bind sends to: ${names:-nobody yet}"
