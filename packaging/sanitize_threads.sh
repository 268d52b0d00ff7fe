#!/bin/bash
# Builds polepair._core under ThreadSanitizer beside the real one and runs the tests that share objects between threads on
# it. The interpreter is as it is: it hands the GIL over by mutexes that the sanitizer sees.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/build/sanitized_threads
rm -rf "$out" && mkdir -p "$out"
cp -r polepair csrc setup.py pyproject.toml README.md LICENSE "$out/"
rm -f "$out"/polepair/*.so
( cd "$out" && POLEPAIR_CFLAGS="-O1 -g -fsanitize=thread" "$OLDPWD/.venv/bin/python" setup.py -q build_ext --inplace )
export LD_PRELOAD TSAN_OPTIONS="exitcode=66 halt_on_error=0" PYTHONMALLOC=malloc OPENBLAS_NUM_THREADS=1 PYTHONPATH="$out"
LD_PRELOAD="$(gcc -print-file-name=libtsan.so)"
# -P: else the package of this folder comes first, which is the plain one; -s: or pytest swallows what is found
setarch -R .venv/bin/python -P -c "from polepair import _core; assert _core.__file__.startswith('$out'), _core"
setarch -R .venv/bin/python -P -m pytest -q -s -p no:cacheprovider -p no:xdist tests/run/test_threads.py
echo "threads on shared objects of the extension: clean"
