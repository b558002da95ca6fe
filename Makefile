# Each target does its own set-up and repeats nothing that is up to date. `make help` lists them.
# Programs in .venv that are scripts are called as modules of its Python: what finds their interpreter is a line that a space in a path breaks.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
DEMO := build/demo
SOURCES := $(shell find projectkit grading labs/src labs/checks labs/build.py -name '*.py' -o -name '*.toml' -o -name '*.html')

.PHONY: help setup demo lab test proofs solved lint notebooks lock wheels baselines references figures clean

help:
	@echo "make demo       run lab 1, pack it, grade it in the sandbox, write $(DEMO)/report.html"
	@echo "make test       test every part, the solved notebooks at a small scale; about a quarter of an hour"
	@echo "make proofs     run what takes long: the notebooks at quick scale, every rubric with references built anew, long attacks"
	@echo "make lab        open JupyterLab on labs/"
	@echo "make notebooks  rebuild the students' notebooks from labs/src"
	@echo "make lint       check style and types"
	@echo "make lock       resolve requirements.lock anew for both distributions"
	@echo "make wheels     build the students' and the instructors' wheel into build/wheels"
	@echo "make baselines  train the reference models of the graders' relative checks anew"
	@echo "make references build anew, at quick scale, the submissions that prove the rubrics"
	@echo "make figures    write the tables of figures from benchmarks/results"

setup: $(READY)

# uv installs in seconds what takes pip minutes; where it cannot be had, pip does it.
$(READY): requirements.lock pyproject.toml grading/pyproject.toml grading/setup.py
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "projectkit needs Python 3.11, 3.12 or 3.13, $(PYTHON) is " + sys.version.split()[0] + ". Say: make PYTHON=python3.11 …")'
	@echo "Setting up .venv from requirements.lock (about 3 GB; only when the lock has changed) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@if $(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' requirements.lock)"; \
	then $(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.lock; \
	else $(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock; fi
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . --editable ./grading
	@touch $@

demo: $(DEMO)/report.html
	@echo "Report: $(CURDIR)/$(DEMO)/report.html"

$(DEMO)/l01_quantization.ipynb: $(READY) $(SOURCES)
	@echo "Running lab 1 (about a minute) …"
	@$(BIN)/python labs/build.py --run l01_quantization $(DEMO)

$(DEMO)/report.html: $(DEMO)/l01_quantization.ipynb
	@echo "Grading what it packed …"
	@$(BIN)/python -m grading run $(DEMO)/work/l01_quantization/l01_quantization.zip --out $(DEMO)/graded
	@cp $(DEMO)/graded/results/*.html $@

# JupyterLab refuses to run as root unless it is told to.
lab: $(READY)
	@PYTHONPATH="$(CURDIR)/labs" $(BIN)/python -m jupyterlab labs $(if $(filter 0,$(shell id -u)),--allow-root)

# A file's tests stay together, those that take longest begin first (tests/conftest.py). Three processes on two cores, because some
# tests wait: for a turn to time, for a limit to pass.
PYTEST := $(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder --durations=15 --nbval-lax tests build/solved

test: $(READY) lint solved
	@$(PYTEST) -m "not proof" --notebooks smoke

proofs: $(READY) solved
	@$(PYTEST) -m "proof or notebook" --notebooks quick

solved: $(READY)
	@$(BIN)/python labs/build.py --check
	@$(BIN)/python labs/build.py --solved build/solved

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python -m mypy

notebooks: $(READY)
	@$(BIN)/python labs/build.py

lock:
	@printf '%s\n' . './grading[test]' | $(BIN)/uv pip compile --quiet - --universal --python-version 3.11 --no-header --no-emit-index-url --no-annotate --no-emit-package projectkit-labs --no-emit-package projectkit-grading --output-file requirements.lock

# A file left from an earlier build would go into the wheel, too.
wheels: $(READY)
	@rm -rf build/projectkit-labs build/projectkit-grading
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir build/wheels . ./grading
	@echo "For students: $$(ls build/wheels/projectkit_labs-*). For instructors, who need both: $$(ls build/wheels/projectkit_grading-*)"

baselines: $(READY)
	@$(BIN)/python grading/baselines/build.py

references: $(READY)
	@$(BIN)/python -m grading.reference tests/grading/references

figures: $(READY)
	@$(BIN)/python benchmarks/figures.py

clean:
	rm -rf build
