# One image for the api, the scanner, the uploader and the CLI; the command chooses. The plain instructions alone, so
# that builders without BuildKit make the same image. A build for release names its base
# by digest as well: docker build --build-arg NODE_IMAGE=node:24-trixie-slim@sha256:... .
ARG NODE_IMAGE=node:24-trixie-slim
FROM $NODE_IMAGE AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund --ignore-scripts
COPY tsconfig.json tsconfig.build.json nest-cli.json ./
COPY libs libs
COPY apps apps
RUN npx nest build api && chmod 755 dist/apps/cli/main.js && find dist -name '*.map' -delete

# Production dependencies. The optional ones are native builds of parts that also exist in JavaScript; of the rest goes
# what only people and compilers read.
FROM $NODE_IMAGE AS dependencies
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --no-audit --no-fund --ignore-scripts \
 && find node_modules \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.flow' \
      -o -name '*.tsbuildinfo' \) -type f -delete \
 && find node_modules -type f \( -iname '*.md' -o -iname '*.markdown' \) ! -iname 'license*' -delete \
 && find node_modules -type d \( -name test -o -name tests -o -name __tests__ -o -name docs -o -name example \
      -o -name examples -o -name .github \) -prune -exec rm -rf {} + \
 && find node_modules -type d -empty -delete

FROM $NODE_IMAGE
ARG VERSION=0.2.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="sluice" \
      org.opencontainers.image.description="Moves large files from an NFS drop folder into Azure Blob Storage and never loses one" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
# tini passes signals on and reaps: as process 1, Node does neither by itself
RUN apt-get update -q && apt-get install -y -q --no-install-recommends tini && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*
# the folders are there and belong to the user, so that a new volume mounted on them does too
RUN groupadd -g 10001 sluice && useradd -u 10001 -g sluice -d /app -M -s /usr/sbin/nologin sluice \
 && mkdir -p /mnt/nfs /mnt/staging && chown sluice:sluice /mnt/nfs /mnt/staging \
 && ln -s /app/dist/apps/cli/main.js /usr/local/bin/sluice
WORKDIR /app
COPY package.json ./
COPY --from=dependencies /src/node_modules node_modules
COPY --from=build /src/dist dist
# without a token the api refuses to listen on an open address, so this opens nothing by accident
ENV NODE_ENV=production APP_BIND=0.0.0.0 APP_PORT=8000
# since Node 22 the space of young objects grows larger: 1 GiB through an uploader took 263 MiB at the peak, and 239 with this
ENV NODE_OPTIONS=--max-semi-space-size=8
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.APP_PORT}/healthz`).then((a) => process.exit(a.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["tini", "--"]
CMD ["node", "dist/apps/api/main.js"]
