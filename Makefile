# Every target builds the virtual environment it needs; nothing but python3 and make is required.
# ARGS is handed on:   make demo ARGS="--once --json"
# PYTHON names the interpreter to build with:   make up PYTHON=/opt/python3.12/bin/python3.12

.SILENT:
.DEFAULT_GOAL := help
.PHONY: help up demo test prove check bench lock clean venv venv-dev

MANAGE := .venv/bin/python manage.py
PACKAGES := config jobs crawling extraction
UV_VERSION := 0.13.9
COMPILE := build/lock/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet

help:
	echo "make demo    show Quarry at work on a sample site, with nothing to configure"
	echo "make up      run Quarry: web server, workers and database in one terminal"
	echo "make test    run the tests"
	echo "make prove   take each protection away and see its test fail (ARGS=--tenth: a random tenth of them)"
	echo "make check   run the linters, the type checker and the architecture checks"
	echo "make bench   measure"
	echo "make lock    resolve the dependencies anew into the lock files"
	echo "make clean   remove the virtual environment and caches; your data in .quarry stays"

up: venv
	$(MANAGE) up $(ARGS)

demo: venv
	$(MANAGE) demo $(ARGS)

bench: venv
	$(MANAGE) bench $(ARGS)

test: venv-dev
	.venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

prove: venv-dev
	.venv/bin/python -m tests.prove $(ARGS)

check: venv-dev
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m mypy --strict $(PACKAGES)
	.venv/bin/python -c "from importlinter.cli import lint_imports_command; lint_imports_command()"
	$(MANAGE) check --fail-level WARNING
	$(MANAGE) makemigrations --check --dry-run

# The bootstrap finds a suitable Python by itself; any Python since 3.7 can run it.
RUN_BOOTSTRAP = for python in "$(PYTHON)" python3 python3.13 python3.12 python3.11 python3.14 python; do \
		if [ -n "$$python" ] && "$$python" -c "import sys; sys.exit(sys.version_info < (3, 7))" >/dev/null 2>&1; \
		then exec "$$python" -I config/bootstrap.py --python "$(PYTHON)" $(1); fi; done; \
	echo "Quarry needs Python 3.11, 3.12 or 3.13, but no Python runs here: install one (on Debian:" \
		"apt install python3 python3-venv), then run make again." >&2; exit 1

venv:
	$(call RUN_BOOTSTRAP,)

venv-dev:
	$(call RUN_BOOTSTRAP,--dev)

# Keeps the pins that still fit; ARGS=--upgrade takes the newest versions, ARGS="--upgrade-package django" one of them.
lock: venv
	.venv/bin/python -m venv --clear build/lock
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(COMPILE) $(ARGS) --output-file requirements.lock
	for extra in dev distributed; do \
		$(COMPILE) $(ARGS) --extra $$extra --constraint requirements.lock --output-file requirements-$$extra.lock \
			$$(sed -n 's/^\([^ =]*\)==.*/--no-emit-package \1/p' requirements.lock | sort -u) || exit 1; \
	done
	$(subst pyproject.toml,,$(COMPILE)) $(ARGS) --group build --constraint requirements.lock \
		--output-file requirements-build.lock

clean:
	rm -rf .venv build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find $(PACKAGES) tests -name __pycache__ -type d -prune -exec rm -rf {} +
