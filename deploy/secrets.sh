#!/usr/bin/env bash
# Creates the secrets that docker-compose.yml mounts, one file each, in deploy/secrets (or in the folder named by $1).
# What exists stays as it is, so it may be run again. Losing ENCRYPTION_MASTER_KEY loses every sealed value: back it up.
set -euo pipefail
umask 077
root=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-$root/deploy/secrets}
# The containers run as the files' owner, because a file of mode 0600 opens for nobody else, and never as root.
uid=${FIREWALL_UID:-$(id -u)} gid=${FIREWALL_GID:-$(id -g)}
if [ "$uid" = 0 ]; then uid=10001 gid=10001; fi

mkdir -p "$folder"
chmod 700 "$folder"

random() { head -c "$1" /dev/urandom | base64 | tr -d '\n'; }
url_safe() { random "$1" | tr '+/' '-_' | tr -d '='; }

create() { # NAME TEXT
    if [ -e "$folder/$1" ]; then return; fi
    printf '%s' "$2" > "$folder/$1.part"
    mv "$folder/$1.part" "$folder/$1"
    echo "created $folder/$1" >&2
}

create ENCRYPTION_MASTER_KEY "$(random 32)"
create AAF_BUNDLE_TOKEN "$(url_safe 32)"
create POSTGRES_PASSWORD "$(url_safe 32)"
# The role that migrates and owns the tables, and the one that the processes use, which can only append and read.
create DATABASE_ADMIN_URL "postgresql://aaf_admin:$(cat "$folder/POSTGRES_PASSWORD")@postgres:5432/aaf"
create DATABASE_URL "postgresql://aaf:$(url_safe 32)@postgres:5432/aaf"

if [ "$(id -u)" = 0 ]; then chown "$uid:$gid" "$folder"/*; fi
if [ $# -eq 0 ] && ! grep -qs '^FIREWALL_UID=' "$root/.env"; then
    printf 'FIREWALL_UID=%s\nFIREWALL_GID=%s\n' "$uid" "$gid" >> "$root/.env"
    echo "wrote the user that the containers run as to $root/.env" >&2
fi
