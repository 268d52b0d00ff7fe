#!/bin/bash
# Builds the extension with AddressSanitizer and UndefinedBehaviorSanitizer beside the real one and runs the tests of
# the core, the extension and the sweeps on it, with the core's assertions; then the sweep's threads under ThreadSanitizer.
# The extension under ThreadSanitizer is built and tested beside all that.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p build/log
packaging/sanitize_threads.sh > build/log/sanitize_threads.txt 2>&1 &
threads=$!
out=$PWD/build/sanitized
rm -rf "$out" && mkdir -p "$out"
cp -r polepair freecad_wb blender_addon csrc setup.py pyproject.toml README.md LICENSE "$out/"
rm -f "$out"/polepair/*.so
( cd "$out" && POLEPAIR_CFLAGS="-O1 -g -DPP_ASSERTS -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer " \
    "$OLDPWD/.venv/bin/python" setup.py -q build_ext --inplace )
preload="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
sanitized() { # -P: else the package of this folder comes first, which is the plain one
    LD_PRELOAD="$preload" ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 PYTHONMALLOC=malloc PYTHONPATH="$out" \
        .venv/bin/python -P "$@"
}
sanitized -c "from polepair import _core; assert _core.__file__.startswith('$out'), _core"
sanitized -m pytest -q -p no:cacheprovider -p no:xdist tests/core/test_winding.py tests/core/test_datasheet.py \
    tests/core/test_magnetics.py tests/core/test_api.py tests/run/test_sweep.py tests/core/test_solver.py tests/core/test_files.py \
    tests/core/test_adaptive.py tests/live/test_streams.py tests/live/test_observer.py tests/live/test_store.py \
    tests/core/test_any_number.py tests/core/test_frames.py tests/run/test_threads.py tests/test_fuzz_api.py \
    -m "not slow" -k "not kill_9 and not full_disk and not many_readers and not blocks_leak and not references and not other_interpreters and not import_is_light and not order and not every_accepted and not energy"
echo "address and undefined behaviour: clean"
flags="-std=c11 -O1 -g -fsanitize=thread -ffp-contract=off -Icsrc/include -D_POSIX_C_SOURCE=200809L"
for kernel in csrc/host/sweep/kernel_*.c; do
    case $kernel in *avx2.c) extra="-mavx2 -mfma" ;; *avx512.c) extra=-mavx512f ;; *) extra= ;; esac
    gcc $flags $extra -c "$kernel" -o "$out/$(basename "$kernel" .c).o"
done
gcc $flags tests/c/threads.c csrc/core/*/*.c csrc/host/sweep/sweep.c csrc/host/clock.c "$out"/kernel_*.o -lpthread -lm -o "$out/threads"
setarch -R "$out/threads"
gcc $flags tests/c/sweep.c csrc/core/*/*.c csrc/host/sweep/sweep.c csrc/host/clock.c "$out"/kernel_*.o -lpthread -lm -o "$out/sweep"
setarch -R "$out/sweep"
gcc $flags tests/c/stream_threads.c csrc/host/stream/*.c csrc/host/clock.c csrc/core/wire/*.c \
    -lpthread -o "$out/stream_threads"
mkdir -p "$out/journal" && setarch -R "$out/stream_threads" "$out/journal"
packaging/sanitize_mqtt.sh
wait $threads || { cat build/log/sanitize_threads.txt; exit 1; }
echo "sanitizers: address, undefined behaviour and threads are clean"
