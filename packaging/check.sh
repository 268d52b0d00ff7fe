#!/bin/bash
# Formatters, linters, stubs, function sizes; the house rules themselves are tests (tests/test_house.py).
set -euo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin
files=$(git ls-files 'csrc/*.c' 'csrc/*.h' 'tests/*.c')
$bin/clang-format --dry-run -Werror $files
$bin/ruff format --check -q .
$bin/ruff check -q .
$bin/python -m mypy.stubtest polepair._core
$bin/lizard -l c -L 80 -C 25 -w -i 0 $files
echo "check: formats, lints, stubs and sizes are good"
