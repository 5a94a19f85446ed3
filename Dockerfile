# signet in a container. Without arguments it is the proxy; with them, any of its commands: docker run signet echo --help
# Nothing here needs BuildKit: the classic builder builds it too.

FROM node:26-bookworm-slim AS build
WORKDIR /signet
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund --loglevel=error
COPY tsconfig.json ./
COPY src src
RUN npm run --silent build

FROM node:26-bookworm-slim AS packages
WORKDIR /signet
COPY package.json package-lock.json ./
# legacy-peer-deps: llhttp-wasm calls typescript its peer, for the sake of its types, and npm would install it here.
RUN npm ci --omit=dev --legacy-peer-deps --no-audit --no-fund --loglevel=error
# The load test's own packages, beside signet's, so that signet itself depends on none of them.
WORKDIR /loadtest
COPY docker/loadtest/package.json docker/loadtest/package-lock.json ./
RUN npm ci --no-audit --no-fund --loglevel=error
COPY docker/loadtest/run.mjs ./

FROM node:26-bookworm-slim
LABEL org.opencontainers.image.title="signet" \
      org.opencontainers.image.description="A streaming HTTP/1.1 reverse proxy that signs a fresh JWT for every request it forwards" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.base.name="node:26-bookworm-slim"
WORKDIR /signet
COPY --from=packages /loadtest /loadtest
COPY --from=packages /signet/node_modules node_modules
COPY package.json ./
COPY --from=build /signet/dist dist
# A container is reached from outside; what is published is for `docker run -p` to say. HTTP_PORT stays at 8080.
ENV HTTP_HOST=0.0.0.0
# NODE_ENV is left to whoever runs the image. With NODE_ENV=production signet does not start on the public demo secret,
# so that a deployment that forgot SIGNET_SECRET or SIGNET_SECRET_FILE stops at once; set here, it would stop every first
# `docker run` and the compose demo as well, which may run on the demo secret, with its warning.
EXPOSE 8080
USER 1000:1000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --retries=3 CMD ["node", "dist/main.js", "health"]
ENTRYPOINT ["node", "/signet/dist/main.js"]
