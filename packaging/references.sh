#!/bin/bash
# References leaked per call, under the debug interpreter (which counts every reference), full API.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/build/debug
rm -rf "$out" && mkdir -p "$out"
cp -r polepair freecad_wb blender_addon csrc setup.py pyproject.toml README.md LICENSE "$out/"
rm -f "$out"/polepair/*.so
site=$(.venv/bin/python -c 'import site; print(site.getsitepackages()[0])')
( cd "$out" && POLEPAIR_FULL_API=1 PYTHONPATH="$site" python3-dbg setup.py -q build_ext --inplace )
ls "$out"/polepair/_core*d-*.so >/dev/null
PYTHONPATH="$out:$site" python3-dbg tests/core/references.py
