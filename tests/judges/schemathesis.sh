#!/usr/bin/env bash
# Starts the service on its defaults and has schemathesis call every route of its OpenAPI document with what the document
# allows and what it does not: no fault of ours (5xx), no answer that the document does not describe. Usage:
# schemathesis.sh PARAPHE VENV EXAMPLES-A-ROUTE PHASES
set -euo pipefail

paraphe=$(realpath "$1") venv=$(realpath "$2") examples=$3 phases=$4 judges=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
cleanup() {
  [ -z "${serve:-}" ] || kill "$serve" 2>/dev/null || true
  wait
  rm -rf "$work"
}
trap cleanup EXIT
cd "$work"

{ read -r port; read -r public; read -r metrics; } < <("$venv/bin/python" "$judges/ports.py" 3)
cat >settings.toml <<TOML
[http]
listen = "127.0.0.1:$port"
public_listen = "127.0.0.1:$public"
metrics_listen = "127.0.0.1:$metrics"
TOML
key=$("$paraphe" --config settings.toml keys api --name schemathesis --test)
"$paraphe" --config settings.toml serve >serve.log 2>&1 &
serve=$!
for _ in $(seq 100); do
  if "$venv/bin/python" -c "from urllib.request import urlopen; urlopen('http://127.0.0.1:$port/health')" 2>/dev/null; then
    break
  fi
  sleep 0.2
done

"$venv/bin/schemathesis" run "http://127.0.0.1:$port/openapi.json" \
  --header "Authorization: Bearer $key" --max-examples "$examples" --seed 1 --phases "$phases" \
  --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
  --request-timeout 60 || { tail -n 20 serve.log; exit 1; }

# Told to stop, it ends by itself and well.
kill "$serve"
wait "$serve"
serve=
