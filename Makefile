# polepair: make demo, make test; make help lists the rest.
SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
BPY := .venv-bpy/bin/python
OUT := build/demo
STAMP := $(VENV)/.ready
SOURCES := $(shell find csrc -name "*.[ch]" -o -name "*.def") setup.py pyproject.toml

.PHONY: help demo test build check house hook compile-commands fmt bench docs faults fuzz promises emulated mutants coverage soak clean wheel release table
help: ## this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 20

demo: build ## a real motor: CAD, run, sweep and report in build/demo (FILM=1 adds a clip)
	@mkdir -p $(OUT)
	@$(PY) -m polepair design outrunner-12s14p --out $(OUT)
	@$(PY) -m polepair run outrunner-12s14p --time 0.5 --out $(OUT)/run.parquet
	@$(PY) -m polepair sweep outrunner-12s14p magnet.Br=1.0:1.4:21 winding.turns=12:20:9 --time 0.5 --out $(OUT)/sweep.parquet
	@$(PY) -m polepair report outrunner-12s14p --run $(OUT)/run.parquet --sweep $(OUT)/sweep.parquet --cad $(OUT)/motor.json --out $(OUT)/report.html
	@$(if $(FILM),packaging/bpy.sh && POLEPAIR_BPY_PYTHON=$(BPY) $(PY) -m polepair film outrunner-12s14p --run $(OUT)/run.parquet --out $(OUT)/spinup.mp4)
	@echo "open $(OUT)/report.html; to go on: . $(VENV)/bin/activate, then polepair --help"

test: build ## every test (short forms of the long ones)
	@packaging/test.sh

build: $(STAMP) ## system packages, .venv and the extension

$(VENV)/.packages: packaging/debian.txt packaging/setup.sh
	@packaging/setup.sh packages packaging/debian.txt
	@mkdir -p $(VENV) && touch $@
$(VENV)/.tools: $(VENV)/.packages pyproject.toml
	@packaging/setup.sh venv $(VENV)
	@touch $@
$(STAMP): $(VENV)/.tools $(SOURCES)
	@packaging/setup.sh build $(VENV)
	@touch $@

check: build ## formatters, linters, house rules, stubs, instruction counts
	@packaging/check.sh

house: build ## the figures the house is held to, measured now
	@$(PY) packaging/house.py

hook: ## a pre-commit hook that formats what is staged
	@install -m 755 packaging/hook.sh "$$(git rev-parse --git-path hooks)/pre-commit"

compile-commands: build ## compile_commands.json for editors
	@$(PY) packaging/compile_commands.py

fmt: build ## formats C and Python
	@$(VENV)/bin/clang-format -i $$(git ls-files 'csrc/*.c' 'csrc/*.h')
	@$(VENV)/bin/ruff format -q . && $(VENV)/bin/ruff check -q --fix .

table: build ## regenerates what is made from the parameter table
	@$(PY) -m polepair.design.generate

bench: build ## polepair beside its peers
	@benchmarks/run.sh

faults: build ## long fault and fuzz runs (about two hours)
	@packaging/setup.sh packages packaging/debian-test.txt
	@packaging/fuzz.sh 600
	@$(PY) -m pytest tests -m slow -q

fuzz: build ## every surface that strangers can write into (SURFACE=name, SECONDS=560 each: all in 100 minutes)
	@packaging/setup.sh packages packaging/debian-test.txt
	@nice packaging/fuzz.sh $(or $(SECONDS),560) $(or $(SURFACE),all)

promises: build ## the promises of docs/reliability.md, and what their machines find now (ten minutes)
	@packaging/setup.sh packages packaging/debian-test.txt
	@$(PY) packaging/promises.py

emulated: build ## the sweeps' AVX-512 lanes on an emulated machine (two minutes)
	@packaging/emulate.sh

wheel: build ## the cp311-abi3 manylinux wheel in build/wheel, with all that it needs
	@packaging/wheel.sh

release: build ## the wheel twice to equal bytes, with hashes and a bill of materials, in build/release
	@packaging/wheel.sh release

mutants: build ## changes 60 lines one at a time: do the tests notice? (ROOM=core, sweep, python or live; SEED=1, COUNT=60)
	@nice $(PY) packaging/mutants.py $(or $(ROOM),all) --seed $(or $(SEED),1) --count $(or $(COUNT),60)

soak: build ## a device of 10 kHz x 8 into a recorder that is killed and restarted (MINUTES=10, FOLDER=..., SEED=1)
	@nice $(PY) packaging/soak.py --minutes $(or $(MINUTES),10) --seed $(or $(SEED),1) $(if $(FOLDER),--folder $(FOLDER))

coverage: build ## share of lines that the tests run, of the C and of the Python (ten minutes)
	@nice packaging/coverage.sh

clean: ## removes what was built
	@rm -rf build $(VENV) polepair/*.so *.egg-info
