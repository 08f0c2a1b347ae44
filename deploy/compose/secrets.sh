#!/bin/sh
# Makes what docker-compose.yml needs as secrets, beside this file; what is there already stays as it is.
# Passwords are 48 hexadecimal digits, so they need no escaping in an address. To change one: delete its files, run this
# again, then `docker compose up -d`: migrate renews the logins.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
umask 077
mkdir -p "$here/secrets"

word() {
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

# Readable for the users inside the containers; the folder is closed to everybody else of this machine.
keep() {
    if [ ! -s "$here/secrets/$1" ]; then
        printf '%s\n' "$2" > "$here/secrets/$1.part"
        chmod 0444 "$here/secrets/$1.part"
        mv "$here/secrets/$1.part" "$here/secrets/$1"
        echo "made $1"
    fi
}

keep http_token "$(word)"
keep postgres_password "$(word)"
keep owner_database_url "postgresql://duly_owner:$(cat "$here/secrets/postgres_password")@postgres:5432/duly"
for folder in "$here"/../../services/*/; do
    name=$(basename "$folder")
    keep "${name}_database_url" "postgresql://${name}_login:$(word)@postgres:5432/duly"
done
