#!/bin/bash
# Blender as a Python module, in .venv-bpy (about 370 MB to fetch, once).
set -euo pipefail
cd "$(dirname "$0")/.."
[ -f .venv-bpy/.ready ] && exit 0
version=$(/usr/bin/python3 -c 'import sys; print(*sys.version_info[:2], sep=".")')
[ "$version" = 3.11 ] || { echo "bpy 4.5 needs Python 3.11, here is $version: film and its tests are left out" >&2; exit 2; }
echo "installing Blender's bpy into .venv-bpy"
/usr/bin/python3 -m venv .venv-bpy
.venv-bpy/bin/pip install -q --disable-pip-version-check "bpy==4.5.15" pytest
touch .venv-bpy/.ready
