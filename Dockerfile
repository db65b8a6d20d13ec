# syntax=docker/dockerfile:1
#
# The hub with its chat page, on a file of data in /data unless DATABASE_URL or DATABASE_URL_FILE names PostgreSQL:
#
#   docker build --tag hiloop .
#   docker run --publish 127.0.0.1:8080:8080 --volume hiloop-data:/data \
#     --env HILOOP_PUBLIC_URL=http://localhost:8080 hiloop
#
# HILOOP_PUBLIC_URL has to be the URL in the browser: pages may open sockets from that origin alone, and inside the
# container the hub can't know it. compose.yaml and deploy/kubernetes run several nodes. scripts/release.sh does the
# work, so that the program in the image is the one that `make release` makes.

ARG DEBIAN=bookworm
ARG NODE_VERSION=22
ARG RUST_VERSION=1.95.0

# The chat page, which the program carries.
FROM node:${NODE_VERSION}-${DEBIAN}-slim AS page
WORKDIR /src/web-demo
# The packages are a layer of their own, which stays as long as the lock file does.
COPY sdk/typescript/package.json ../sdk/typescript/
COPY web-demo/package.json web-demo/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY sdk/typescript ../sdk/typescript
COPY web-demo ./
RUN npm run --silent build

FROM rust:${RUST_VERSION}-${DEBIAN} AS program
WORKDIR /src
# So are the crates: most of the time of a build goes into them.
COPY Cargo.toml Cargo.lock build.rs ./
COPY loadtest/Cargo.toml loadtest/
COPY sdk/rust/Cargo.toml sdk/rust/
COPY tests/support/Cargo.toml tests/support/
COPY scripts/release.sh scripts/
RUN scripts/release.sh dependencies
COPY migrations migrations
COPY src src
COPY sdk/rust/src sdk/rust/src
COPY --from=page /src/web-demo/dist web-demo/dist
RUN scripts/release.sh program

FROM debian:${DEBIAN}-slim
# Nobody in particular: no password, no shell, no home. The numbers stand in deploy/kubernetes too.
RUN groupadd --system --gid 10001 hiloop \
    && useradd --system --uid 10001 --gid hiloop --home-dir /data --no-create-home --shell /usr/sbin/nologin hiloop \
    && install --directory --owner hiloop --group hiloop --mode 0700 /data
# For the keys of an outside issuer and for rediss://.
COPY --from=program /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY LICENSE /usr/share/doc/hiloop/
COPY --from=program /src/target/dist/hiloop /usr/local/bin/
# The file of data is hiloop-data/hiloop.db in here. Everything else of the image may be read-only.
WORKDIR /data
VOLUME /data
ENV HILOOP_LISTEN=0.0.0.0:8080
EXPOSE 8080
# By number, or Kubernetes can't tell that it isn't root.
USER 10001:10001
# Answers long-polls, sends sockets elsewhere, finishes requests, ends with 0 within HILOOP_GRACE_SECONDS (10). Docker
# itself waits 10 s: give `docker stop --time 20`.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 CMD ["hiloop", "healthcheck"]
ENTRYPOINT ["hiloop"]
CMD ["serve"]
