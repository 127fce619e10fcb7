# LearnIR. `make demo` and `make test` each work alone on a fresh clone; `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTHON ?= $(shell for p in python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null \
	&& echo $$p && break; done)
DATA ?= data/faceshadow
PHOTOS ?= photos
PAIRS ?=
SPLITS ?=
ARCHIVE ?= data/release.npz
INIT ?=
ROOT ?= data

.PHONY: help setup system demo app test check fast pins clean bench measure figures pack train-cpu train-release

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## make .venv and install everything, pinned

$(READY): requirements.txt requirements-dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "needs Python 3.11 or 3.12 (mediapipe has no wheels for others); \
	install one and run: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q 'uv>=0.9,<0.12'
	$(BIN)/uv pip install -q --python $(BIN)/python -r requirements.txt -r requirements-dev.txt
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps -e .
	@touch $(READY)

system:  ## apt packages: OpenGL for mediapipe, Chromium for the browser tests
	@bash scripts/system_packages.sh

demo: $(READY)  ## shadows on a face, restored: a table and a picture
	@bash scripts/system_packages.sh libraries
	$(BIN)/python -m demo.quickstart

app: $(READY)  ## the Gradio app, at the first free port from 7860; options: .venv/bin/python app.py --help
	@bash scripts/system_packages.sh libraries
	$(BIN)/python app.py

test: $(READY) system  ## every test (what CI runs)
	$(BIN)/python -m pytest

fast: $(READY)  ## tests without the slow ones
	$(BIN)/python -m pytest -m "not slow"

check: $(READY)  ## lint, format, types, fast tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -m "not slow"

figures: $(READY)  ## pictures and tables of README and docs, from the shipped weights
	$(BIN)/python scripts/make_figures.py

bench: $(READY)  ## every method on every data set at hand, then docs/benchmarks.md
	$(BIN)/python scripts/bench_suite.py

measure: $(READY)  ## again what was measured with former weights: make measure ROOT=pictures/ DATA=faceshadow/
	$(BIN)/python scripts/measure.py --data-root $(ROOT) --faceshadow $(DATA)

train-cpu: $(READY)  ## the small model on two CPU cores: make train-cpu DATA=folder-of-pairs
	$(BIN)/learnir train cpu --data $(DATA) --out runs/cpu --processes 2 --resume

define PACK
$(BIN)/faceshadow pack $(PHOTOS) $(ARCHIVE) --recipe broad sunlit faceshadow --shadows 1 --uneven --seed 149 \
	$(if $(PAIRS),--pairs $(PAIRS)) $(if $(SPLITS),--splits $(SPLITS)) \
	$(if $(LICENCE),--licence "$(LICENCE)",--allow-unlicensed)
endef

$(ARCHIVE): | $(READY)  # made where it is missing; `make pack` makes it anew
	$(PACK)

pack: $(READY)  ## what the release trains on: make pack PHOTOS=portraits/ PAIRS=street/ SPLITS=dataset/ LICENCE=CC0 (without it, photos of unknown licence too)
	$(PACK)

train-release: $(READY) $(ARCHIVE)  ## the release, on one GPU, from that archive, packed where missing (MINUTES=10: as far as they reach)
	$(BIN)/learnir train release --data $(ARCHIVE) --out runs/release --resume \
	$(if $(INIT),--init $(INIT)) $(if $(MINUTES),--minutes $(MINUTES))

pins: $(READY)  ## resolve requirements*.txt anew from pyproject.toml
	bash scripts/pin_requirements.sh

clean:  ## remove caches (not .venv, not runs/)
	rm -rf .pytest_cache .ruff_cache .mypy_cache .hypothesis build dist *.egg-info
