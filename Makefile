# make demo    serve the live market and its page        make demo ARGS="--port 0 --ready-json"
# make test    run the whole suite                       make test ARGS="-k hub"
# make check   format, lint, types, architecture         make fix       mend what can be mended
# make bench   measure, beside the peers (ARGS=--quick)  make dist      build the wheel and the sdist
# make docs    put the real output of commands and samples into the documents
# make test-all  the suite on Python 3.11, 3.12 and 3.13
# make repeat  the fixture's own tests again and again      make repeat TIMES=100
.POSIX:
.PHONY: demo test test-all repeat check fix docs bench dist clean

# The first of these that is there and is Python 3.11 or later.
PYTHON = $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
BIN = .venv/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check
ARGS =
VERSIONS = 3.11 3.12 3.13
TIMES = 100
REPEATED = pytest_plugin fixture_example testing director scenario_commands expect journal

demo: .venv/installed
	@exec $(BIN)/tickerplant serve $(ARGS)

test: .venv/developing
	rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest -n auto $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

test-all:
	@for v in $(VERSIONS); do \
		p=`command -v python$$v` && $$p -c '' 2>/dev/null || p=`ls -d $${PYENV_ROOT:-$$HOME/.pyenv}/versions/$$v.*/bin/python 2>/dev/null | tail -n 1`; \
		test -n "$$p" || { echo "Python $$v isn't here"; exit 1; }; \
		echo "Python $$v: $$p"; \
		test -x .venv-$$v/bin/python || "$$p" -m venv .venv-$$v || exit 1; \
		.venv-$$v/bin/python -m pip install -q -U pip && .venv-$$v/bin/python -m pip install -q -e . --group test --group contract --group bench || exit 1; \
		.venv-$$v/bin/python -m pytest -n auto $(ARGS) || exit 1; \
	done

repeat: .venv/developing
	@n=0; while [ $$n -lt $(TIMES) ]; do n=$$((n + 1)); \
		$(BIN)/python -m pytest -q -n 2 $(REPEATED:%=tests/test_%.py) $(ARGS) || { echo "run $$n failed"; exit 1; }; \
		echo "run $$n of $(TIMES) passed"; \
	done

check: .venv/developing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py

fix: .venv/developing
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/developing
	$(BIN)/python -m pytest -q -n 0 tests/test_docs.py tests/test_page_picture.py --write-docs

bench: .venv/developing
	$(PIP) install -q --group peers
	@mkdir -p bench/out
	$(BIN)/python -m pytest bench -q --benchmark-columns=min,median,iqr,rounds --benchmark-json=bench/out/micro.json
	@for bench in fanout latency slow connections; do \
		$(BIN)/python -m bench.$$bench $(ARGS) || exit 1; \
	done
	$(BIN)/python -m bench.generator --plot bench/generator.svg $(ARGS)
	$(BIN)/python -m bench.report

dist: .venv/developing
	$(PIP) install -q build
	$(BIN)/python -m build

clean:
	rm -rf .venv .venv-* build dist bench/out .coverage* .pytest_cache .mypy_cache .ruff_cache

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed; set PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "can't make a virtual environment; on Debian and Ubuntu: apt install python3-venv"; rm -rf .venv; exit 1; }

.venv/installed: .venv/bin/python pyproject.toml
	@echo "Installing into .venv: some seconds, the first time only." >&2
	@$(PIP) install -q -e . >&2
	@touch $@

.venv/developing: .venv/bin/python pyproject.toml
	$(PIP) install -q -U pip
	$(PIP) install -q -e . --group dev
	@touch $@ .venv/installed
