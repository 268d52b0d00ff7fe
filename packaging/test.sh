#!/bin/bash
# make test: everything, independent parts side by side. Fails when any part does.
set -uo pipefail
cd "$(dirname "$0")/.."
packaging/setup.sh packages packaging/debian-test.txt || exit $?
mkdir -p build/log

part() { # name, command...: runs in the background, keeps its output
    local name=$1
    shift
    ( "$@" > "build/log/$name.txt" 2>&1; echo $? > "build/log/$name.code" ) &
}

[ -n "${POLEPAIR_BPY_PYTHON:-}" ] || export POLEPAIR_BPY_PYTHON=$PWD/.venv-bpy/bin/python
packaging/bpy.sh || [ $? = 2 ] || echo "bpy could not be installed: its tests are skipped" >&2
part sanitizers packaging/sanitize.sh
part references packaging/references.sh
part fuzz packaging/fuzz.sh "${FUZZ_SECONDS:-5}"
.venv/bin/python -m pytest -n 2 --dist loadfile -p no:cacheprovider -m "not slow" ${PYTEST_ARGS:-}
main=$?
wait
failed=0
for name in sanitizers references fuzz; do
    code=$(cat "build/log/$name.code")
    echo "$name: $([ "$code" = 0 ] && echo passed || echo "FAILED, see build/log/$name.txt")"
    [ "$code" = 0 ] || { tail -n 40 "build/log/$name.txt"; failed=1; }
done
tail -n 1 build/log/sanitizers.txt build/log/references.txt build/log/fuzz.txt
[ "$main" = 0 ] && [ "$failed" = 0 ]
