#!/bin/bash
# Set-up steps of the Makefile: packages LIST | venv DIR | build DIR. Each says one line when it has work to do.
set -euo pipefail
cd "$(dirname "$0")/.."

wanted() { sed 's/#.*//' "$1" | tr -d ' \t' | grep .; }
missing() {
    for p in $(wanted "$1"); do
        dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || echo "$p"
    done
}
root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

packages() {
    if ! command -v dpkg-query >/dev/null; then
        echo "not a Debian system: install python3 >= 3.11 with venv and headers, gcc and FreeCAD yourself" >&2
        return 0
    fi
    local need
    need=$(missing "$1" | tr '\n' ' ')
    [ -n "$need" ] || return 0
    if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
        echo "packages are missing; run: sudo apt-get install --no-install-recommends $need" >&2
        exit 2
    fi
    echo "installing Debian packages: $need"
    export DEBIAN_FRONTEND=noninteractive
    root apt-get update -qq
    # shellcheck disable=SC2086
    root apt-get install -y -qq --no-install-recommends $need >/dev/null
}

venv() {
    local py=/usr/bin/python3
    [ -x "$py" ] || py=python3
    "$py" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "python3 is too old: expected 3.11 or newer" >&2; exit 2; }
    [ -x "$1/bin/python" ] || "$py" -m venv "$1"
    echo "installing Python packages into $1"
    "$1/bin/pip" install -q --disable-pip-version-check --upgrade "setuptools>=77" wheel "numpy>=2"
    "$1/bin/python" - > "$1/requirements.txt" <<'P'
import tomllib
project = tomllib.load(open("pyproject.toml", "rb"))["project"]
extra = project["optional-dependencies"]
print("\n".join(project["dependencies"] + extra["report"] + extra["test"] + extra["check"]))
P
    "$1/bin/pip" install -q --disable-pip-version-check -r "$1/requirements.txt"
}

build() {
    echo "building polepair"
    SECONDS=0
    "$1/bin/pip" install -q --disable-pip-version-check --no-build-isolation --no-deps -e .
    mkdir -p build/log
    echo "built in $SECONDS s" > build/log/build.txt
}

"$@"
