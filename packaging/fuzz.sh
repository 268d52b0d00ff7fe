#!/bin/bash
# Fuzzes SECONDS each, two surfaces side by side: fuzz.sh [SECONDS] [SURFACE...]. Without a surface: what is C, with
# libFuzzer, ASan, UBSan and the core's assertions; `all`: these, the Python ones (fuzz_python.py list) and the calls of
# the extension (api). One line a surface; 1 for a finding. What it learns is kept in build/fuzz, seeds are in tests/fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."
here=build/fuzz python=.venv/bin/python
c="json sparkplug packed frame segment description numbers lines cobs"
flags="-std=c11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -Icsrc/include -DPP_ASSERTS"
declare -A harness=([segment]=fuzz_journal [description]=fuzz_journal [numbers]=fuzz_numbers [lines]=fuzz_text [cobs]=fuzz_text)

said() { # surface, log: the finding, and where the whole of it is
    tail -n 30 "$2"
    echo "fuzz: $1: a finding, see $2"
    return 1
}

fuzz_c() { # surface, seconds
    local log=$here/$1.log from=${harness[$1]:-fuzz} seeds=
    [ ! -d "tests/fuzz/$1" ] || seeds=tests/fuzz/$1
    mkdir -p "$here/$1"
    clang $flags -fsanitize=fuzzer -DDECODER="${1^^}" "tests/c/$from.c" $here/object/*.o -lpthread -lm -o "$here/$1.bin"
    "$here/$1.bin" -max_total_time="$2" -max_len=4096 -timeout=20 -print_final_stats=1 -artifact_prefix="$here/$1-" \
        "$here/$1" $seeds > "$log" 2>&1 || said "$1" "$log"
    echo "fuzz: $1: $(grep -ao 'number_of_executed_units: [0-9]*' "$log" | grep -o '[0-9]*') inputs in $2 s, 0 findings"
}

fuzz_api() { # seconds
    local log=$here/api.log
    FUZZ_SECONDS=$1 $python -m pytest tests/test_fuzz_api.py -q -s -p no:cacheprovider -p no:xdist -k any_arguments > "$log" 2>&1 ||
        said api "$log"
    echo "fuzz: api: $(grep -ao '[0-9]* x 300 sequences' "$log") in $1 s, 0 findings"
}

one() { # seconds, surface
    case $2 in
    api) fuzz_api "$1" ;;
    *) if [[ " $c " == *" $2 "* ]]; then fuzz_c "$2" "$1"; else $python packaging/fuzz_python.py "$2" "$1"; fi ;;
    esac
}

[ "${1:-}" != one ] || { one "$2" "$3"; exit; }
seconds=${1:-10}
surfaces=${*:2}
[ -n "$surfaces" ] || surfaces=$c
[ "$surfaces" != all ] || surfaces="$c $($python packaging/fuzz_python.py list) api"
mkdir -p $here/object
printf '%s\n' csrc/host/stream/*.c csrc/host/clock.c csrc/core/wire/*.c |
    xargs -P 2 -I{} bash -c 'clang $1 -fsanitize=fuzzer-no-link -c {} -o $2/$(basename {} .c).o' - "$flags" $here/object
printf '%s\n' $surfaces | xargs -P 2 -I{} "$0" one "$seconds" {} || { echo "fuzz: findings"; exit 1; }
echo "fuzz: $(wc -w <<< "$surfaces") surfaces, $seconds s each: 0 findings"
