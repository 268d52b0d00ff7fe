#!/bin/bash
# make wheel: the cp311-abi3 wheel of the tracked files in build/wheel, by pinned tools, repaired so that it carries OpenSSL
# (paho.mqtt.c is linked in). wheel.sh [OUT]; make release: twice, to equal bytes, with hashes and bill of materials.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=build/wheel-tools log=$PWD/build/log/wheel.txt
export SOURCE_DATE_EPOCH PIP_DISABLE_PIP_VERSION_CHECK=1
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)

pinned_tools() {
    cmp -s packaging/build-requirements.txt $tools/.have && return
    rm -rf $tools
    "$(readlink -f .venv/bin/python)" -m venv $tools
    $tools/bin/pip install -q --require-hashes --only-binary :all: -r packaging/build-requirements.txt
    cp packaging/build-requirements.txt $tools/.have
}

built() { # folder to build in, folder for the wheel
    local bin=$PWD/$tools/bin raw=$1/raw
    rm -rf "$1"
    mkdir -p "$1/source" "$2"
    git ls-files -z | xargs -0 -I{} sh -c '[ ! -e "$1" ] || cp --parents "$1" "$2"' - {} "$1/source"
    {
        (cd "$1/source" && PATH="$bin:$PATH" "$bin/pip" wheel --no-deps --no-build-isolation --no-cache-dir -w "$raw" .)
        PATH="$bin:$PATH" "$bin/auditwheel" repair --only-plat -w "$2" "$raw"/*.whl
    } > "$log" 2>&1 || { tail -n 30 "$log" >&2; echo "the wheel was not built, see $log" >&2; return 1; }
}

mkdir -p build/log
pinned_tools
if [ "${1:-}" = release ]; then
    out=build/release
    rm -rf $out
    built "$(mktemp -d)" $out
    other=$(mktemp -d)
    built "$other/some/where/else" "$other"
    cmp $out/*.whl "$other"/*.whl || { echo "two builds differ: expected equal bytes" >&2; exit 1; }
    $tools/bin/python packaging/sbom.py $out/*.whl > $out/polepair.cdx.json
    (cd $out && sha256sum -- *.whl *.json > SHA256SUMS)
    cat $out/SHA256SUMS
else
    rm -rf build/wheel
    built "$(mktemp -d)" build/wheel
    ls build/wheel/*.whl
fi
