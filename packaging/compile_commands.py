"""Writes compile_commands.json, for editors and clang-tidy, from what setup.py would compile."""

import json
import os
import runpy
from pathlib import Path
from sysconfig import get_paths

import setuptools

setuptools.setup = lambda **_: None
build = runpy.run_path("setup.py")
rows = []
for ext in (build["CORE"], *build["mqtt"]()):
    macros = [f"-D{name}={value}" for name, value in ext.define_macros]
    flags = [
        *macros,
        *(f"-I{folder}" for folder in (*ext.include_dirs, get_paths()["include"])),
        *ext.extra_compile_args,
    ]
    for file in ext.sources:
        lanes = build["LANES"].get(os.path.basename(file), [])
        rows.append({"directory": os.getcwd(), "file": file, "arguments": ["gcc", *flags, *lanes, "-c", file]})
Path("compile_commands.json").write_text(json.dumps(rows, indent=1) + "\n")
