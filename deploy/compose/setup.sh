#!/usr/bin/env bash
# Makes what compose.yaml needs and no repository may hold: passwords, settings, and a certificate that signs itself
# unless there is one already. What is there stays as it is, so that it may be run again.
#
#   deploy/compose/setup.sh HOST    the host under which people reach the hub, such as hub.example.org
set -euo pipefail
umask 077
cd "${HILOOP_COMPOSE_DIR:-$(dirname "${BASH_SOURCE[0]}")/../..}"

host=${1:-}
case "$host" in
    "" | *[!a-zA-Z0-9.-]*) echo "setup: usage: deploy/compose/setup.sh HOST" >&2 && exit 1 ;;
esac

secrets=deploy/compose/secrets
mkdir -p "$secrets"

# secret NAME COMMAND...: a file of what the command prints. Containers may read it, whatever user they run as, since
# Compose mounts it as it is. On this machine nobody else gets to it: the folder is closed.
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
    # Their network has no way out, and PostgreSQL's image brings no certificate.
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
    echo "setup: making a certificate that signs itself; replace $tls/hub.crt and $tls/hub.key by real ones"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 -subj "/CN=$host" \
        -addext "subjectAltName=DNS:$host" -keyout "$tls/hub.key" -out "$tls/hub.crt" 2>/dev/null
fi

# Compose reads it by itself. Other lines of it stay.
touch .env
grep -v '^HILOOP_HOST=' .env >.env.new || true
printf 'HILOOP_HOST=%s\n' "$host" >>.env.new
mv .env.new .env
