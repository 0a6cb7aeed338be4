# Everything from nothing but python3 and make. The environment in .venv is set up once: a stamp file says that it is
# complete and newer than pyproject.toml. The stamp is taken away while anything is installed, so a setup that was
# cut short is started anew by the next run.

PYTHON ?= python3

VERSION := $(shell $(PYTHON) -c 'import platform; print(platform.python_version())' 2>/dev/null)
MINOR := $(basename $(VERSION))
BIN := .venv/bin
READY_TO_RUN := .venv/.ready-to-run-$(MINOR)
READY_TO_TEST := .venv/.ready-to-test-$(MINOR)

FUZZ_RUNS ?= 100000
ROUND_TRIPS ?= 10000
FUZZ_C_RUNS ?= 1000000

.PHONY: help demo demo-vowels test test-arm64 benchmarks fuzz lint check-format check-style check-types check-imports clean

help:
	@echo "make demo        train, prune, quantize, encode and verify the MNIST model, and print what each stage did"
	@echo "make demo-vowels the same for a recurrent network, which is smaller"
	@echo "make test        format, lint, types, import contracts and all tests"
	@echo "make test-arm64  what differs on phones, on two emulated ARM64 processors; needs a Debian host"
	@echo "make benchmarks  time and memory, as ratios; needs 10 GB of disk and 6 GB of memory"
	@echo "make fuzz        $(FUZZ_RUNS) damaged models and as many containers (FUZZ_RUNS=...): each gives a result or one"
	@echo "                 clear error, and soon; $(ROUND_TRIPS) models with hard tensors (ROUND_TRIPS=...), packed and unpacked"
	@echo "                 $(FUZZ_C_RUNS) containers for the C decoder (FUZZ_C_RUNS=...), if clang and libzstd-dev are there"
	@echo "make lint        the same without the tests"
	@echo "make clean       remove the environment and all caches; results in models/*/runs stay"

demo: $(READY_TO_RUN)
	$(BIN)/sparsetool run models/mnist_cnn/recipe.toml

demo-vowels: $(READY_TO_RUN)
	$(BIN)/sparsetool run models/vowels_gru/recipe.toml

test: lint
	$(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile

# 77: no environment for it on this host; it has said why
test-arm64: $(READY_TO_TEST)
	$(BIN)/python tests/arm64/run.py || [ $$? -eq 77 ]

benchmarks: $(READY_TO_TEST)
	$(BIN)/python tests/benchmarks/run.py

fuzz: $(READY_TO_TEST)
	PYTHONPATH=tests $(BIN)/python tests/fuzz/run.py --runs $(FUZZ_RUNS)
	PYTHONPATH=tests $(BIN)/python tests/fuzz/run.py --runs $(FUZZ_RUNS) --what containers
	PYTHONPATH=tests $(BIN)/python tests/fuzz/round_trips.py --runs $(ROUND_TRIPS)
	PYTHONPATH=tests $(BIN)/python tests/fuzz/fuzz_c.py --runs $(FUZZ_C_RUNS) || [ $$? -eq 77 ]

# .pre-commit-config.yaml calls these four one by one
lint: check-format check-style check-types check-imports

check-format: $(READY_TO_TEST)
	$(BIN)/ruff format --check

check-style: $(READY_TO_TEST)
	$(BIN)/ruff check

check-types: $(READY_TO_TEST)
	$(BIN)/mypy

check-imports: $(READY_TO_TEST)
	$(BIN)/lint-imports

clean:
	rm -rf .venv build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find sparsetool converters models tests -name __pycache__ -prune -exec rm -rf {} +

$(READY_TO_RUN): pyproject.toml
	$(call set_up,all,$(READY_TO_RUN))

$(READY_TO_TEST): pyproject.toml
	$(call set_up,all$(comma)dev,$(READY_TO_RUN) $(READY_TO_TEST))

comma := ,

# $(1): extras to install, $(2): stamps that this makes
define set_up
$(need_python)
@test -e $(READY_TO_RUN) || { rm -rf .venv && $(PYTHON) -m venv .venv; }
@rm -f .venv/.ready-to-*
@echo "Installing sparsetool[$(1)] for Python $(VERSION) into .venv; TensorFlow is large, it takes a minute or two ..."
@$(BIN)/python -m pip install --disable-pip-version-check --editable '.[$(1)]'
@touch $(2)
endef

need_python = $(if $(filter 3.11 3.12 3.13,$(MINOR)),$(need_venv),$(error \
sparsetool needs Python 3.11, 3.12 or 3.13; $(PYTHON) is $(or $(VERSION),not there) (set PYTHON=...)))

need_venv = $(if $(shell $(PYTHON) -c 'import ensurepip, venv; print(1)' 2>/dev/null),,$(error \
$(PYTHON) lacks venv or ensurepip: install them (Debian: apt-get install python3-venv) or set PYTHON=...))
