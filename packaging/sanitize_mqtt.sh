#!/bin/bash
# Builds polepair._mqtt under AddressSanitizer and UndefinedBehaviorSanitizer, then under ThreadSanitizer, beside the real
# one, and runs the tests of the link with each. Without paho.mqtt.c or mosquitto there is nothing to run.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/build/sanitized_mqtt
libasan="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
if ! command -v mosquitto >/dev/null || ! ls /usr/lib/*/libpaho-mqtt3as.a >/dev/null 2>&1; then
    echo "sanitize_mqtt: no mosquitto or no paho.mqtt.c, expected both: left out"
    exit 0
fi

build() { # FOLDER FLAGS: the package with the MQTT extension alone made anew, the core as it is
    rm -rf "$1" && mkdir -p "$1"
    cp -r polepair csrc setup.py pyproject.toml README.md LICENSE "$1/"
    rm -f "$1"/polepair/_mqtt*.so
    (cd "$1" && POLEPAIR_CFLAGS="-O1 -g -fno-omit-frame-pointer $2" POLEPAIR_ONLY=_mqtt \
        "$OLDPWD/.venv/bin/python" setup.py -q build_ext --inplace)
}

tests() { # FOLDER, and what the interpreter is run by: closing beside calls and messages, cuts, births, TLS, publications in flight
    # -P: else the package of this folder comes first, which is the plain one; -s: or pytest swallows what they say
    local folder=$1
    shift
    PYTHONPATH=$folder "$@" .venv/bin/python -P -c "from polepair import _mqtt; assert _mqtt.__file__.startswith('$folder'), _mqtt"
    PYTHONPATH=$folder "$@" .venv/bin/python -P -m pytest -q -s -p no:cacheprovider -p no:xdist tests/live/test_mqtt_close.py \
        tests/live/test_mqtt_taken.py tests/live/test_mqtt_birth.py tests/live/test_mqtt.py -m "not slow" \
        -k "not leak and not command_line and not dribble and not every_byte and not half_open"
}

build "$out/address" "-fsanitize=address,undefined -fno-sanitize-recover=all"
tests "$out/address" env "LD_PRELOAD=$libasan" ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc
build "$out/thread" "-fsanitize=thread"
tests "$out/thread" setarch -R env "LD_PRELOAD=$(gcc -print-file-name=libtsan.so)" \
    TSAN_OPTIONS="suppressions=$PWD/packaging/tsan.supp exitcode=66 halt_on_error=0 report_thread_leaks=0"
echo "sanitizers: address, undefined behaviour and threads are clean over the MQTT extension"
