#!/usr/bin/env bash
# Builds the image and really runs it: compose stack, Kubernetes pods (podman), storage canary; and reads the manifests.
# On Debian, as root; installs what is missing, and leaves no container, volume or daemon of its own behind.
# usage: scripts/ship.sh [TEST FILE ...]     without files: all of test/ship
set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null
bash scripts/setup.sh

say() { printf '\033[2m%s\033[0m\n' "$*" >&2; }
have() { PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null 2>&1; }

missing=()
have dockerd || missing+=(docker.io iptables)
docker compose version >/dev/null 2>&1 || have docker-compose || missing+=(docker-compose)
have debootstrap || missing+=(debootstrap)
have podman || missing+=(podman)
have runc || missing+=(runc)
have catatonit || missing+=(catatonit)
have unzip || missing+=(unzip)
[ -x /usr/lib/cni/bridge ] || missing+=(containernetworking-plugins)
if ! docker info >/dev/null 2>&1 || [ ${#missing[@]} != 0 ]; then
  [ "$(id -u)" = 0 ] || { echo "ship: run this as root: it starts dockerd and podman's pods" >&2; exit 1; }
fi
if [ ${#missing[@]} != 0 ]; then
  have apt-get || { echo "ship: install ${missing[*]} by hand; this is not Debian" >&2; exit 1; }
  say "ship: installing ${missing[*]}"
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
fi
# kustomize came to kubectl with components in 1.21
if ! kubectl kustomize k8s/overlays/local >/dev/null 2>&1; then
  have apt-get && { apt-get install -y -qq kubectl || apt-get install -y -qq kubernetes-client; } >&2 || true
  kubectl kustomize k8s/overlays/local >/dev/null || { echo 'ship: install kubectl 1.27 or later' >&2; exit 1; }
fi

bash scripts/helm.sh

work=$(mktemp -d)
daemon=
finish() {
  if [ -n "$daemon" ]; then
    kill "$daemon" 2>/dev/null || true
    wait "$daemon" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap finish EXIT
if ! docker info >/dev/null 2>&1; then
  say 'ship: starting dockerd'
  dockerd >"$work/dockerd.log" 2>&1 &
  daemon=$!
  for _ in $(seq 60); do
    docker info >/dev/null 2>&1 && break
    kill -0 "$daemon" 2>/dev/null || { tail -n 20 "$work/dockerd.log" >&2; exit 1; }
    sleep 1
  done
  docker info >/dev/null || { tail -n 20 "$work/dockerd.log" >&2; exit 1; }
fi

# the public images where a registry answers, else stand-ins of the same names
for image in node:24-trixie-slim valkey/valkey:8.1 mcr.microsoft.com/azure-storage/azurite:3.35.0; do
  docker image inspect "$image" >/dev/null 2>&1 || timeout 60 docker pull -q "$image" >/dev/null 2>&1 || {
    say "ship: no registry gives $image; making stand-ins"
    bash test/ship/base-images.sh >"$work/base.log" 2>&1 || { tail -n 30 "$work/base.log" >&2; exit 1; }
    break
  }
done
say 'ship: building the image'
docker build -t sluice:0.2.0 . >"$work/build.log" 2>&1 || { tail -n 40 "$work/build.log" >&2; exit 1; }

npx jest --runInBand "$@" --selectProjects ship
