# What the scripts of all layers share. To be included, from the root of the repository. PULLYU_ROOT is empty on a real host.
facts=${PULLYU_ROOT:-}/root/nodeinfo
settings=${PULLYU_ROOT:-}/srv/app/settings.d

# fact NAME: the value of a node fact, or "none".
fact() { cat "$facts/$1.txt" 2>/dev/null || echo none; }

# has_changed NAME PATH: did PATH change since NAME acted on it? True the first time. Its record is in .temp, which survives updates.
has_changed() {
  last=$(cat ".temp/acted/$1" 2>/dev/null) || return 0
  [ -n "$(git log --oneline "$last.." -- "$2")" ]
}

# acted NAME: records that NAME acted on what is there now.
acted() {
  mkdir -p .temp/acted
  git rev-parse HEAD >".temp/acted/$1"
}

# put_settings NUMBER-NAME FILE: installs one file of settings when it has changed. Higher numbers win over lower ones.
put_settings() {
  has_changed "$1" "$2" || return 0
  cp "$2" "$settings/$1.conf.new"
  mv "$settings/$1.conf.new" "$settings/$1.conf"
  acted "$1"
  echo "installed $2 as $1"
}
