#!/usr/bin/env bash
# The Debian package on a fresh Debian: installed, used by the service's own user, saved, purged, installed again,
# restored, verified. Wants root; needs neither systemd nor a network beyond Debian's packages. Usage:
# package.sh PARAPHE, the program of a release build. Prints `N passed, N failed`.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/setup.sh

paraphe=$(realpath "$1")
work=$(mktemp -d)
root=$work/root
passed=0 failed=0
cleanup() {
  running | xargs -r kill -KILL
  umount "$root/proc" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

# check WHAT COMMAND...: in a shell of its own that ends at the first failure; `if` would have it go on.
check() {
  local what=$1 status
  shift
  set +e
  (set -e && "$@") >"$work/said" 2>&1
  status=$?
  set -e
  if [ "$status" -eq 0 ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "$what: failed"
    tail -n 20 "$work/said"
  fi
}
inside() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LANG=C.UTF-8 "$@"; }
as_service() { inside runuser -u paraphe -- paraphe --config /etc/paraphe/paraphe.toml "$@"; }

# A machine as Debian makes it, and no more.
machine() {
  need_debian mmdebstrap lintian
  mmdebstrap --quiet --variant=minbase bookworm "$root"
  mount -t proc proc "$root/proc"
  inside apt-get update -q
}

# The package of the given program: `cargo deb` would build it once more, with its profile `dist`.
package() {
  need_cargo cargo-deb 3.8.0
  mkdir -p "$work/target/release"
  cp "$paraphe" "$work/target/release/paraphe"
  CARGO_TARGET_DIR=$work/target cargo deb --quiet --no-build --profile release --strip --fast -o "$work/paraphe.deb"
}

# The list of what the program is made of.
components() {
  need_cargo cargo-cyclonedx 0.5.9
  cargo cyclonedx --quiet --format json --override-filename sbom
  mv sbom.json "$work/sbom.json"
  /usr/bin/python3 -c 'import json, sys
bom = json.load(open(sys.argv[1]))
names = {it["name"] for it in bom["components"]}
assert bom["bomFormat"] == "CycloneDX" and {"typst", "rustls", "sqlx"} <= names, names' "$work/sbom.json"
}

install() {
  cp "$work/paraphe.deb" "$root/var/cache/paraphe.deb"
  inside apt-get install -qy --no-install-recommends /var/cache/paraphe.deb
}

as_installed() {
  [ "$(inside stat -c '%U:%G %a' /var/lib/paraphe)" = 'paraphe:paraphe 700' ]
  [ "$(inside stat -c '%U:%G %a' /etc/paraphe/secrets/operator-key)" = 'root:paraphe 640' ]
  [ "$(inside getent passwd paraphe | cut -d: -f7)" = /usr/sbin/nologin ]
  [ -z "$(running)" ] # nothing starts by itself
  as_service doctor
}

# Production, with a seal whose authority is ours, on free ports; secrets as the service reads them.
production() {
  local secrets=$root/etc/paraphe/secrets
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/seal.key" \
    -out "$work/seal.crt" -days 400 -subj '/CN=Direction SPECIMEN' 2>/dev/null
  cat "$work/seal.key" "$work/seal.crt" >"$secrets/seal.pem"
  openssl pkcs12 -export -inkey "$work/seal.key" -in "$work/seal.crt" -out "$work/person.p12" -passout pass:test
  chmod 640 "$secrets/seal.pem"
  inside chgrp paraphe /etc/paraphe/secrets/seal.pem
  cat >"$root/etc/paraphe/paraphe.toml" <<TOML
mode = "production"
data = "/var/lib/paraphe"
verify_url = "https://verification.example.org/v/"
[languages]
accepted_drafts = ["fr", "ar"]
[store]
key_file = "/etc/paraphe/secrets/operator-key"
[seal]
key_file = "/etc/paraphe/secrets/seal.pem"
[privacy]
contact = "donnees@example.org"
retention_months = 60
[http]
listen = "127.0.0.1:$port"
public_listen = "127.0.0.1:$public"
metrics_listen = "127.0.0.1:$metrics"
TOML
  as_service doctor
}

# The processes of the machine's program.
running() {
  local it
  for it in /proc/[0-9]*; do
    if [ "$(readlink "$it/exe")" = "$root/usr/bin/paraphe" ]; then echo "${it#/proc/}"; fi
  done
}

# What the unit starts, by hand: there is no systemd.
start() {
  as_service --log json --log-filter info serve >>"$work/serve.log" 2>&1 &
  for _ in $(seq 300); do
    if curl -sf "http://127.0.0.1:$port/health" >/dev/null; then return; fi
    sleep 0.2
  done
  tail -n 20 "$work/serve.log"
  return 1
}
stop() {
  running | xargs kill -TERM
  for _ in $(seq 300); do
    if [ -z "$(running)" ]; then return; fi
    sleep 0.2
  done
  tail -n 20 "$work/serve.log"
  return 1
}

used() {
  need_venv "$judges/metrics" tests/judges/metrics.txt
  "$judges/metrics/bin/python" tests/judges/service.py "$1" "http://127.0.0.1:$port" "http://127.0.0.1:$metrics" \
    "$(cat "$work/key")" "$work/seal.crt" "$work/person.p12" "$work/state" "$paraphe"
}

saved() {
  inside install -d -o paraphe -m 700 /srv/backup
  as_service backup /srv/backup/today
  cp -a "$root/srv/backup/today" "$work/backup"
  cp -a "$root/etc/paraphe" "$work/etc" # what an operator keeps in another place: settings and keys
}

purged() {
  inside apt-get purge -qy paraphe
  rm -rf "$root/srv/backup"
  [ ! -e "$root/etc/paraphe" ] && [ ! -e "$root/var/lib/paraphe" ] && [ ! -e "$root/usr/bin/paraphe" ]
}

restored() {
  install
  cp -a "$work/etc/." "$root/etc/paraphe/"
  mkdir -p "$root/srv/backup"
  cp -a "$work/backup" "$root/srv/backup/today"
  as_service restore /srv/backup/today
  as_service deliveries count | grep paused
  as_service deliveries resume
  as_service doctor
}

{ read -r port; read -r public; read -r metrics; } < <(/usr/bin/python3 tests/judges/ports.py 3)
check 'a fresh Debian' machine
check 'the package is made' package
check 'its components are listed' components
# Debian's own judge. What it takes for libraries are names within crates; what changed and the licences stand elsewhere.
check 'lintian finds no error' lintian --allow-root --fail-on error --suppress-tags \
  no-changelog,embedded-library,copyright-not-using-common-license-for-apache2 "$work/paraphe.deb"
check 'it is installed' install
check 'as it should be' as_installed
check 'settings of production' production
as_service keys api --name judge >"$work/key"
check 'the service starts' start
check 'a contract and a list go through it' used make
check 'a backup is made' saved
check 'it stops well' stop
check 'a purge leaves nothing' purged
check 'it is installed again and restored' restored
check 'the service starts again' start
check 'everything is there and verifies' used verify
check 'it stops well again' stop
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
