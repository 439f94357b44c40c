# One command per chore; CONTRIBUTING.md says when to use which.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
DEMO := build/demo/$(shell date +%Y-%m-%d_%H%M%S)_tiny

PIP := $(BIN)/python -m pip install --quiet
# All files of a release, so that each Python and each platform finds its own among the hashes.
COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --custom-compile-command 'make pins'

.PHONY: help install pins demo test check lint types unit format docs images dist bench clean

help: ## list the chores
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

install: $(INSTALLED) ## make .venv and install the project with all extras

# torch comes apart, without a hash: requirements/torch.txt says why.
$(INSTALLED): pyproject.toml requirements/develop.txt requirements/torch.txt
	@echo "installing into .venv: one to three minutes"
	$(PYTHON) -m venv .venv
	@echo "  1 of 3: the packages of requirements/develop.txt"
	@$(PIP) --require-hashes --requirement requirements/develop.txt
	@echo "  2 of 3: PyTorch"
	@$(PIP) --requirement requirements/torch.txt
	@echo "  3 of 3: speedcheck"
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

pins: ## pin the versions of requirements/ anew
	$(COMPILE) --extra data --extra report --extra test requirements/develop.in --output-file requirements/develop.txt
	$(COMPILE) --extra report --constraint requirements/develop.txt --output-file requirements/run.txt
	echo hatchling | $(COMPILE:pyproject.toml=-) --constraint requirements/develop.txt \
		--output-file requirements/build.txt

demo: install ## train and certify a tiny record
	$(BIN)/speedcheck run --recipe tiny --seeds 8 --out $(DEMO)

test: lint types unit ## what must be green before a commit: three minutes

check: lint types ## everything: also what is slow or needs the package index
	$(BIN)/pytest --numprocesses 2 --dist worksteal

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

unit: install
	$(BIN)/pytest --numprocesses 2 --dist worksteal -m 'not slow' --hypothesis-profile quick

format: install ## rewrite the files in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: install ## write what the program prints into the pages and pictures
	$(BIN)/speedcheck explain --markdown > docs/findings.md
	$(BIN)/python docs/help.py > docs/commands.md
	$(BIN)/python docs/refresh.py
	$(MAKE) images

images: install ## draw docs/images/*.svg
	$(BIN)/python docs/capture.py

dist: install ## build the packages of a release into dist/
	rm -rf dist
	$(BIN)/hatchling build

bench: install ## time the commands against each other and the published shell line
	$(BIN)/python benchmarks/commands.py

clean: ## remove what can be made again
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
