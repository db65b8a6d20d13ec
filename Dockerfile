# syntax=docker/dockerfile:1
#
# The hub with its chat page. Data is in a SQLite file in /data, or in PostgreSQL with DATABASE_URL or DATABASE_URL_FILE:
#
#   docker build --tag hiloop .
#   docker run --publish 127.0.0.1:8080:8080 --volume hiloop-data:/data \
#     --env HILOOP_PUBLIC_URL=http://localhost:8080 hiloop
#
# HILOOP_PUBLIC_URL must be the URL in the browser: the hub accepts WebSockets from pages of that origin only, and inside a
# container it cannot derive the URL. compose.yaml and deploy/kubernetes run several nodes. scripts/release.sh builds the
# program, so that the image has the same one as `make release`.

ARG DEBIAN=bookworm
ARG NODE_VERSION=22
ARG RUST_VERSION=1.95.0

# The chat page, which is embedded in the program.
FROM node:${NODE_VERSION}-${DEBIAN}-slim AS page
WORKDIR /src/web-demo
# The packages are a separate layer, which is cached until the lock file changes.
COPY sdk/typescript/package.json ../sdk/typescript/
COPY web-demo/package.json web-demo/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY sdk/typescript ../sdk/typescript
COPY web-demo ./
RUN npm run --silent build

FROM rust:${RUST_VERSION}-${DEBIAN} AS program
WORKDIR /src
# So are the crates, which take most of the time of a build.
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
# An unprivileged user without password, shell and home. deploy/kubernetes has the same numbers.
RUN groupadd --system --gid 10001 hiloop \
    && useradd --system --uid 10001 --gid hiloop --home-dir /data --no-create-home --shell /usr/sbin/nologin hiloop \
    && install --directory --owner hiloop --group hiloop --mode 0700 /data
# Root certificates, for the JWKS of an external issuer and for rediss://.
COPY --from=program /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY LICENSE /usr/share/doc/hiloop/
COPY --from=program /src/target/dist/hiloop /usr/local/bin/
# The SQLite file is hiloop-data/hiloop.db in this folder. The rest of the image may be read-only.
WORKDIR /data
VOLUME /data
ENV HILOOP_LISTEN=0.0.0.0:8080
EXPOSE 8080
# By number: Kubernetes requires it to verify runAsNonRoot.
USER 10001:10001
# On SIGTERM the hub answers long-polls, closes sockets, finishes requests and exits with 0 within HILOOP_GRACE_SECONDS
# (10). Docker kills after 10 s by default: use `docker stop --time 20`.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 CMD ["hiloop", "healthcheck"]
ENTRYPOINT ["hiloop"]
CMD ["serve"]
