#!/usr/bin/env bash
# Makes a machine with Node and nothing else ready: packages, Redis, the build. Quick when all is there.
# usage: scripts/setup.sh [faults]     faults: also what the tests with root need
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .local
exec 9>.local/setup.lock
flock 9 # two commands at once must not install into each other's feet

say() { printf '\033[2m%s\033[0m\n' "$*" >&2; }
have() { PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null 2>&1; }
# Packages of this system's package manager; the first that is found.
install_packages() {
  local as_root=()
  [ "$(id -u)" = 0 ] || { have sudo && as_root=(sudo); } || { echo "setup: $* must be installed, and this is neither root nor sudo" >&2; exit 1; }
  say "setup: installing $*"
  if have apt-get; then
    "${as_root[@]}" apt-get update -qq >&2 && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
  elif have dnf; then "${as_root[@]}" dnf install -y -q "$@" >&2
  elif have apk; then "${as_root[@]}" apk add -q "$@" >&2
  elif have brew; then brew install -q "$@" >&2
  else echo "setup: install $* by hand; no known package manager is here" >&2; exit 1
  fi
}

if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  say 'setup: npm ci'
  npm ci --no-audit --no-fund --loglevel=error >&2
  touch node_modules/.package-lock.json
fi

if ! have redis-server; then
  if have apt-get; then install_packages redis-server; else install_packages redis; fi
fi

if [ "${1:-}" = faults ]; then
  missing=()
  have linux.uml || missing+=(user-mode-linux)
  have rpc.nfsd || missing+=(nfs-kernel-server)
  have mount.nfs4 || missing+=(nfs-common)
  have modprobe || missing+=(kmod)
  have ip || missing+=(iproute2)
  have bindfs || missing+=(bindfs)
  have fusermount3 || have fusermount || missing+=(fuse3)
  [ ${#missing[@]} = 0 ] || install_packages "${missing[@]}"
fi

# Whatever is compiled is compiled at once; the stamp is newer than every source of a finished build.
sources=$(find apps libs test scripts bench tsconfig.json tsconfig.build.json nest-cli.json package.json -newer dist/.built \( -name '*.ts' -o -name '*.json' \) -print -quit 2>/dev/null || echo all)
if [ ! -f dist/.built ] || [ -n "$sources" ]; then
  say 'setup: building'
  npm run --silent build >&2
  touch dist/.built
fi
