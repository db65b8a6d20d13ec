#!/usr/bin/env bash
# Creates the files that compose.yaml needs and that must not be in a repository: passwords, settings, and a self-signed
# certificate. It keeps files that exist, so that it may be run again.
#
#   deploy/compose/setup.sh HOST    the public host name of the hub, such as hub.example.org
set -euo pipefail
umask 077
cd "${HILOOP_COMPOSE_DIR:-$(dirname "${BASH_SOURCE[0]}")/../..}"

host=${1:-}
case "$host" in
    "" | *[!a-zA-Z0-9.-]*) echo "setup: usage: deploy/compose/setup.sh HOST" >&2 && exit 1 ;;
esac

secrets=deploy/compose/secrets
mkdir -p "$secrets"

# secret NAME COMMAND...: writes the output of the command to a file. Its mode lets any user of a container read it, since
# Compose mounts it unchanged. On this machine the mode of the folder protects it.
secret() {
    local file=$secrets/$1
    shift
    [ ! -e "$file" ] || return 0
    "$@" >"$file.new"
    chmod 444 "$file.new"
    mv "$file.new" "$file"
}

random() {
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}

database_url() {
    # The network is isolated, and the PostgreSQL image has no certificate.
    printf 'postgres://hiloop:%s@postgres/hiloop?sslmode=disable' "$(cat "$secrets/postgres_password")"
}

redis_url() {
    printf 'redis://:%s@redis:6379' "$(cat "$secrets/redis_password")"
}

secret postgres_password random
secret redis_password random
secret database_url database_url
secret redis_url redis_url

tls=deploy/compose/tls
mkdir -p "$tls"
if [ ! -e "$tls/hub.crt" ]; then
    echo "setup: creating a self-signed certificate; replace $tls/hub.crt and $tls/hub.key for real use"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 -subj "/CN=$host" \
        -addext "subjectAltName=DNS:$host" -keyout "$tls/hub.key" -out "$tls/hub.crt" 2>/dev/null
fi

# Compose reads .env by default. Its other lines are kept.
touch .env
grep -v '^HILOOP_HOST=' .env >.env.new || true
printf 'HILOOP_HOST=%s\n' "$host" >>.env.new
mv .env.new .env
