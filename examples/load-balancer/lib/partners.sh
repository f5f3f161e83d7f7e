# Who else lives? To be included.

# partners PART PORT: a line "NAME ADDRESS PORT" for each live host with the label part=PART.
# Where a host is reached is its label `address`, or else its first address; its port is its fact or label `port`, or else PORT.
partners() {
  roster=$PULLYU_STATE_DIR/roster.txt
  pullyu roster --label "part=$1" \
    --format '{name}|{label.address}|{address}|{fact.port}|{label.port}' >"$roster"
  while IFS='|' read -r name named first fact label; do
    address=${named:-$first}
    port=${fact:-${label:-$2}}
    # Labels and facts are another host's text: nothing of them may become configuration unseen.
    case $address in '' | *[!A-Za-z0-9.:-]*) address= ;; esac
    case $port in '' | *[!0-9]*) port= ;; esac
    if [ "$address" ] && [ "$port" ]; then
      echo "$name $address $port"
    else
      echo "$name is left out: expected an address and a port of it, found \"$address\" and \"$port\"" >&2
    fi
  done <"$roster"
  rm -f "$roster"
}
