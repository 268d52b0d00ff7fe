#!/bin/bash
# make paho: a newer paho.mqtt.c built for speed (no heap tracking, no trace) into build/paho; setup.py prefers it to
# Debian's. Its source comes with the crate paho-mqtt-sys (EPL-2.0 or EDL-1.0), fetched by cargo, and stays outside the tree.
set -euo pipefail
cd "$(dirname "$0")/.."
version=0.11.0
command -v cargo >/dev/null || { echo "cargo is missing: expected the Debian package cargo, or any Rust toolchain" >&2; exit 2; }
out=$PWD/build/paho
mkdir -p "$out/fetch/src" "$out/include"
printf '[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\npaho-mqtt-sys = "=%s"\n' $version > "$out/fetch/Cargo.toml"
touch "$out/fetch/src/lib.rs"
( cd "$out/fetch" && cargo vendor -q vendor >/dev/null )
paho=$out/fetch/vendor/paho-mqtt-sys/paho.mqtt.c
number=$(cat "$paho/version.major").$(cat "$paho/version.minor").$(cat "$paho/version.patch")
printf '#define BUILD_TIMESTAMP "polepair"\n#define CLIENT_VERSION "%s"\n' "$number" > "$out/include/VersionInfo.h"
cp "$paho"/src/*.h "$out/include/"
cd "$out" && rm -f ./*.o
find "$paho/src" -maxdepth 1 -name '*.c' ! -name MQTTClient.c ! -name MQTTVersion.c -print0 |
    xargs -0 -n 1 -P 2 gcc -O2 -fPIC -w -D_GNU_SOURCE -DPAHO_MQTT_STATIC -DHIGH_PERFORMANCE=1 -DOPENSSL=1 -I"$out/include" -c
rm -f libpaho.a && ar rcs libpaho.a ./*.o && rm -f ./*.o
rm -rf "$out/fetch"
echo "paho.mqtt.c $number in build/paho; now: make build"
