#!/bin/bash
# Fuzzes every decoder for SECONDS each with libFuzzer, ASan and UBSan: fuzz.sh [SECONDS]. What it learns is kept in build/fuzz;
# the seeds are in tests/fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-10}
for decoder in JSON SPARKPLUG PACKED FRAME; do
    name=${decoder,,}
    mkdir -p "build/fuzz/$name"
    clang -std=c11 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Icsrc/include -DDECODER=$decoder \
        tests/c/fuzz.c csrc/host/stream/*.c csrc/host/clock.c csrc/core/wire/*.c \
        -lpthread -o "build/fuzz/$name.bin"
    "build/fuzz/$name.bin" -max_total_time="$seconds" -max_len=4096 -timeout=5 -print_final_stats=1 "build/fuzz/$name" "tests/fuzz/$name" \
        > "build/fuzz/$name.log" 2>&1 || { tail -n 30 "build/fuzz/$name.log"; echo "fuzz: $name: a finding"; exit 1; }
    echo "fuzz: $name: $(grep -ao 'number_of_executed_units: [0-9]*' "build/fuzz/$name.log" | grep -o '[0-9]*') inputs in $seconds s, 0 findings"
done
