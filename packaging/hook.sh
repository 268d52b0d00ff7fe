#!/bin/bash
# Pre-commit hook (make hook): formats what is staged and refuses a commit whose staged files the formatters change.
set -euo pipefail
cd "$(git rev-parse --show-toplevel)"
bin=.venv/bin
mapfile -t c < <(git diff --cached --name-only --diff-filter=ACM -- 'csrc/*.[ch]' 'tests/*.c')
mapfile -t py < <(git diff --cached --name-only --diff-filter=ACM -- '*.py')
[ ${#c[@]} = 0 ] || "$bin/clang-format" -i "${c[@]}"
[ ${#py[@]} = 0 ] || { "$bin/ruff" format -q "${py[@]}"; "$bin/ruff" check -q --fix "${py[@]}"; }
if [ ${#c[@]} != 0 ] || [ ${#py[@]} != 0 ]; then
    changed=$(git diff --name-only -- "${c[@]}" "${py[@]}")
    [ -z "$changed" ] || { echo "formatted, look and stage again: $changed" >&2; exit 1; }
fi
