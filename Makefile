# One environment in .venv, made when it is first needed and again when what it is made of changes.

ENVIRONMENT := .venv/.made-in
BIN := .venv/bin

# What the caller's shell has for other Pythons must not leak into this one.
unexport PYTHONHOME PYTHONPATH VIRTUAL_ENV
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_USER := 0

.PHONY: help demo test check lock clean

help:  ## say what there is to make
	@sed -n 's/^\([a-z]*\):.*## /make \1	/p' Makefile

demo: $(ENVIRONMENT)  ## validate, plan, apply and plan again, on a server in a sandbox
	@PATH="$(CURDIR)/$(BIN):$$PATH"; export PATH; reconciler sandbox -- sh docs/demo.sh

test: check  ## everything that a push has to pass: linters, types, tests, coverage
	@$(BIN)/python -m pytest --cov

check: $(ENVIRONMENT)  ## format, lint, types and the direction of imports
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

# A copied or moved environment still works on the folder that it was made in.
ifneq "$(shell test -x $(BIN)/python && cat $(ENVIRONMENT) 2>/dev/null)" "$(CURDIR)"
.PHONY: $(ENVIRONMENT)
endif

$(ENVIRONMENT): pyproject.toml requirements/dev.txt
	@python=$$(sh .ci/find-python "$(PYTHON)") && echo "making .venv with $$python" && "$$python" -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@echo "$(CURDIR)" >$@

LOCK := build/lock/bin/uv pip compile --quiet --python build/lock/bin/python --universal --python-version 3.11 \
	--generate-hashes --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

lock:  ## pin dependencies: what pyproject.toml newly asks for, or with UPGRADE=1 the newest of all
	@python=$$(sh .ci/find-python "$(PYTHON)") && "$$python" -m venv --clear build/lock
	@build/lock/bin/python -m pip install --quiet --require-hashes -r requirements/lock.txt
	@$(LOCK) pyproject.toml --extra sandbox --group dev -o requirements/dev.txt
	@$(LOCK) pyproject.toml --constraint requirements/dev.txt -o requirements/runtime.txt
	@$(LOCK) --group lock -o requirements/lock.txt

clean:  ## remove all that was made
	@rm -rf .venv build dist htmlcov test-results .coverage .coverage.* .hypothesis .*_cache
