#!/bin/bash
# Formatters, linters, stubs, function sizes, instruction counts; the house rules themselves are tests (tests/test_house.py).
set -euo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin
files=$(git ls-files 'csrc/*.c' 'csrc/*.h' 'tests/*.c')
$bin/clang-format --dry-run -Werror $files
$bin/ruff format --check -q .
$bin/ruff check -q .
$bin/python -m mypy.stubtest polepair._core
$bin/lizard -l c -L 60 -C 25 -a 8 -w -i 0 $files
if command -v valgrind >/dev/null; then
    $bin/python benchmarks/instructions.py --gate
else
    echo "instructions: not counted, valgrind is not installed"
fi
echo "check: formats, lints, stubs and sizes are good"
