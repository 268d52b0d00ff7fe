#!/bin/bash
# make coverage: share of lines that the tests run, of csrc/core and csrc/host by gcovr and of polepair by coverage.py.
# A copy of the tree is built with counters; figures and the lines that nothing ran go to build/coverage.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/build/coverage python=$PWD/.venv/bin/python
rm -rf "$out" && mkdir -p "$out/tree" "$out/unit"
git ls-files -z | xargs -0 cp --parents -t "$out/tree"
cd "$out/tree"
POLEPAIR_CFLAGS="-O1 --coverage -fprofile-update=atomic" "$python" setup.py -q build_ext --inplace > "$out/build.log" 2>&1
( cd "$out/unit" && gcc -std=c11 -O1 --coverage -fno-math-errno -I"$out/tree/csrc/include" "$out"/tree/tests/c/unit*.c \
    "$out"/tree/csrc/core/*/*.c -lm -o unit && ./unit )
mkdir -p "$out/stream/folder"
( cd "$out/stream" && gcc -std=c11 -O1 --coverage -I"$out/tree/csrc/include" "$out"/tree/tests/c/stream_{numbers,describe,decode,json,disk,sync}.c \
    "$out"/tree/csrc/host/stream/*.c "$out"/tree/csrc/host/clock.c "$out"/tree/csrc/core/wire/*.c -lpthread -lm -o stream && ./stream folder )
cat > "$out/rc" <<END
[run]
source = $out/tree/polepair
data_file = $out/data
parallel = true
patch = subprocess
END
export PYTHONPATH=$out/tree POLEPAIR_SHARED=${POLEPAIR_SHARED:-$out/../../../shared}
"$python" -m coverage run --rcfile="$out/rc" -m pytest -q -p no:cacheprovider -p no:xdist -m "not slow" --tb=line \
    --ignore-glob="*test_house.py" --ignore-glob="*test_words.py" --ignore-glob="*test_golden.py" ${PYTEST_ARGS:-} tests > "$out/pytest.log" 2>&1 || true
tail -n 3 "$out/pytest.log"
"$python" -m coverage combine -q --rcfile="$out/rc"
"$python" -m coverage report --rcfile="$out/rc" -m > "$out/python.txt" || true
rm -f "$out"/tree/build/*/csrc/host/clock.gc* # both extensions have it compiled, and the notes are of one
"$python" -m gcovr -r "$out/tree" --filter csrc/core --filter csrc/host --merge-mode-functions=separate \
    --gcov-ignore-parse-errors=all --txt "$out/c.txt" "$out/tree/build" "$out/unit" "$out/stream" > /dev/null 2> "$out/gcovr.log"
c=$(awk '/^TOTAL/ {print $NF}' "$out/c.txt") py=$(awk '/^TOTAL/ {print $NF}' "$out/python.txt")
{ echo "lines run by the tests: $c of csrc/core and csrc/host, $py of polepair"; cat "$out/c.txt" "$out/python.txt"; } > "$out/../coverage.txt"
head -n 1 "$out/../coverage.txt"
