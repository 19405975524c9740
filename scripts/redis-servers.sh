#!/usr/bin/env bash
# Lays out the servers beside this system's Redis 7 that the tests try: Redis 8 and Valkey 8, as Debian packages them, with
# libraries of their own. Changes nothing outside of .local/servers; needs apt.
# usage: scripts/redis-servers.sh
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .local/servers
root=$PWD/.local/servers/trixie
[ ! -f .local/servers/ready ] || exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists/partial,archives/partial,parts}
# this system's mirror and keys, another release; a system without packages, so that every library comes along
sed -E 's/\b(bookworm|trixie|forky|sid)\b/trixie/g; s/^Suites:.*/Suites: trixie/' /etc/apt/sources.list.d/debian.sources |
  awk 'BEGIN { RS = "" } !/security/ { print; exit }' >"$work/parts/trixie.sources"
: >"$work/status"
apt_here() {
  apt-get -qq -o APT::Sandbox::User=root -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/parts" -o Dir::State::Lists="$work/lists" \
    -o Dir::State::Status="$work/status" -o Dir::Cache::Archives="$work/archives" -o Dir::Cache::PkgCache= -o Dir::Cache::SrcPkgCache= "$@"
}
apt_here update
apt_here install -y --download-only --no-install-recommends redis-server valkey-server
rm -rf "$root" && mkdir -p "$root"
for package in "$work"/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
libraries=$root/usr/lib/$(uname -m)-linux-gnu
loader=$(find "$root" -name 'ld-linux*.so.*' | head -n 1)
for server in redis-8:redis-server valkey-8:valkey-server; do
  folder=.local/servers/${server%%:*}
  mkdir -p "$folder"
  # its name says what it is: the file behind it is also the tool that checks databases
  printf '#!/bin/sh\nexec %s --library-path %s %s "$@"\n' "$loader" "$libraries" "$root/usr/bin/${server##*:}" >"$folder/redis-server"
  chmod +x "$folder/redis-server"
  "$folder/redis-server" --version >&2
done
touch .local/servers/ready
