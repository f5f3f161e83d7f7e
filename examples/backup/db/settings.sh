# What is backed up, and where to. To be included. PULLYU_ROOT is empty on a real host; under `--root DIR` all stays below DIR.
data=${PULLYU_ROOT:-}/srv/db
backups=${PULLYU_ROOT:-}/srv/backups
elsewhere=${PULLYU_ROOT:-}/mnt/elsewhere # another disk, or a file system of another machine
keep=7
keep_elsewhere=30

# keep_newest COUNT FOLDER: removes the archives above that number. Their names sort by time.
keep_newest() {
  find "$2" -maxdepth 1 -name 'db-*.tar.gz' | sort -r | tail -n +"$(($1 + 1))" | while read -r old; do
    rm -f "$old"
    echo "removed $old"
  done
}
