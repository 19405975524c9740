#!/usr/bin/env bash
# Makes a machine with Node and nothing else ready: packages, Redis, the build. Quick when all is there.
# usage: scripts/setup.sh [test|faults]     test: also a browser, nginx and Prometheus; faults: also what the tests with root need
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .local
# two commands at once must not install into each other's feet
exec 9>.local/setup.lock
if command -v flock >/dev/null; then flock 9; fi

node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' ||
  { echo "setup: Node 20.19 or newer is needed; this is $(node --version)" >&2; exit 1; }

say() { printf '\033[2m%s\033[0m\n' "$*" >&2; }
have() { PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null 2>&1; }
# Packages of this system's package manager; the first that is found.
install_packages() {
  local as_root=()
  if [ "$(id -u)" != 0 ] && [ "$(uname)" != Darwin ]; then
    have sudo || { echo "setup: $* must be installed, which takes root or sudo" >&2; return 1; }
    as_root=(sudo)
  fi
  say "setup: installing $*"
  if have apt-get; then
    ${as_root[@]+"${as_root[@]}"} apt-get update -qq >&2 && ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
  elif have dnf; then ${as_root[@]+"${as_root[@]}"} dnf install -y -q "$@" >&2
  elif have apk; then ${as_root[@]+"${as_root[@]}"} apk add -q "$@" >&2
  elif have brew; then brew install -q "$@" >&2
  else
    echo "setup: $* must be installed, and no known package manager is here" >&2
    return 1
  fi
}

if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  say 'setup: npm ci'
  SCARF_ANALYTICS=false npm ci --no-audit --no-fund --loglevel=error >&2
  touch node_modules/.package-lock.json
fi

# The image's redis-server under that name; with the host's processes, network and folders it passes for an installed one.
redis_from_image() {
  have docker && docker info >/dev/null 2>&1 || return 1
  say "setup: Redis runs from the image $redis_image"
  docker pull -q "$redis_image" >&2 || docker image inspect "$redis_image" >/dev/null || return 1
  mkdir -p .local/bin
  cat >.local/bin/redis-server <<SHIM
#!/bin/sh
exec docker run --rm --network host --pid host --user "$(id -u):$(id -g)" -v /tmp:/tmp -v "$PWD:$PWD" $redis_image redis-server "\$@"
SHIM
  chmod +x .local/bin/redis-server
}
redis_image=redis:7.4-bookworm
if ! have redis-server && [ ! -x .local/bin/redis-server ]; then
  if have apt-get; then redis_package=redis-server; else redis_package=redis; fi
  install_packages "$redis_package" || redis_from_image ||
    { echo "setup: install Redis 7 (redis-server) so that it stands in PATH, or start Docker" >&2; exit 1; }
fi

if [ "${1:-}" = test ] && ! have chromium && ! have chromium-browser && ! have google-chrome; then
  browser=(chromium)
  if have apt-get; then browser+=(fonts-dejavu-core); fi # without a font its pages are empty boxes
  install_packages "${browser[@]}" || { echo "setup: install Chromium so that it stands in PATH" >&2; exit 1; }
fi

# the shells whose completion is tried
if [ "${1:-}" = test ] && ! { have zsh && have fish; }; then
  install_packages zsh fish || { echo "setup: install zsh and fish so that they stand in PATH" >&2; exit 1; }
fi

if [ "${1:-}" = test ] && ! have openssl; then
  install_packages openssl || { echo "setup: install openssl so that it stands in PATH" >&2; exit 1; }
fi

if [ "${1:-}" = test ] && ! { have promtool && have prometheus; }; then
  install_packages prometheus || { echo "setup: install Prometheus (promtool) so that it stands in PATH" >&2; exit 1; }
fi

# The program alone: a package that is installed would start a server of its own.
nginx_unpacked() {
  have apt-get && have dpkg || return 1
  local to=$PWD/.local/nginx
  rm -rf "$to" && mkdir -p "$to" .local/bin
  (cd "$to" && apt-get download -qq nginx >&2 && dpkg -x nginx_*.deb .) && ln -sf "$to/usr/sbin/nginx" .local/bin/nginx
}
if [ "${1:-}" = test ] && ! have nginx && [ ! -x .local/bin/nginx ]; then
  say 'setup: nginx'
  nginx_unpacked || install_packages nginx || { echo "setup: install nginx so that it stands in PATH" >&2; exit 1; }
fi

if [ "${1:-}" = faults ]; then
  missing=()
  # libraries of ours that are preloaded: faults at file calls, and what the lab's kernel needs on processors with AMX
  have cc || missing+=(gcc libc6-dev)
  have linux.uml || missing+=(user-mode-linux)
  have rpc.nfsd || missing+=(nfs-kernel-server)
  have mount.nfs4 || missing+=(nfs-common)
  have modprobe || missing+=(kmod)
  have ip || missing+=(iproute2)
  have bindfs || missing+=(bindfs)
  have fusermount3 || have fusermount || missing+=(fuse3)
  # the module of Python for volumes that fold names
  /usr/bin/python3 -c 'import fusepy' 2>/dev/null || missing+=(python3-fusepy)
  [ ${#missing[@]} = 0 ] || install_packages "${missing[@]}"
  bash scripts/redis-servers.sh >&2
fi

# The stamp is as old as the start of the build, so what changes meanwhile is compiled next time. Folders count too:
# a source that was removed must leave dist.
sources=()
for source in apps libs test scripts bench; do [ ! -d $source ] || sources+=($source); done
stale() { find "${sources[@]}" tsconfig.json tsconfig.build.json nest-cli.json package-lock.json \
  -newer dist/.built \( -name '*.ts' -o -name '*.json' -o -type d \) -print -quit | grep -q .; }
if [ ! -f dist/.built ] || stale; then
  say 'setup: building'
  touch .local/build-began
  npm run --silent build >&2
  mv .local/build-began dist/.built
fi
