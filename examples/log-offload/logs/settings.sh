# Which logs are moved where, and when. To be included. PULLYU_ROOT is empty on a real host.
logs=${PULLYU_ROOT:-}/var/log/shop
archive=${PULLYU_ROOT:-}/srv/log-archive/$PULLYU_HOST
older_than_days=7
larger_than_kib=10240
archive_days=365

# Nobody writes to them any more.
list_old() { find "$logs" -type f -name '*.log*' -mtime +"$older_than_days"; }
# Somebody may be writing to them.
list_large() { find "$logs" -type f -name '*.log' -size +"${larger_than_kib}k" -mtime -"$((older_than_days + 1))"; }
list_expired() { find "$archive" -type f -name '*.gz' -mtime +"$archive_days"; }
