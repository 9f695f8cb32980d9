# One environment in .venv, made when it is first needed and again when what it is made of changes.

ENVIRONMENT := .venv/.made-in
BIN := .venv/bin

# What the caller's shell has for other Pythons must not leak into this one.
unexport PYTHONHOME PYTHONPATH VIRTUAL_ENV
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_USER := 0

.PHONY: help demo test check coverage bench docs audit sbom mutants orb lock clean

help:  ## say what there is to make
	@sed -n 's/^\([a-z]*\):.*## /make \1	/p' Makefile

demo: $(ENVIRONMENT)  ## validate, plan, apply and plan again, on a server in a sandbox
	@PATH="$(CURDIR)/$(BIN):$$PATH"; export PATH; reconciler sandbox -- sh docs/demo.sh

test: check  ## everything that a push has to pass: linters, types, tests
	@$(BIN)/python -m pytest --numprocesses auto --dist worksteal

coverage: $(ENVIRONMENT)  ## the tests once more, nearly twice as slow, and which lines and branches no test reaches
	@$(BIN)/python -m pytest --numprocesses auto --dist worksteal --cov

bench: $(ENVIRONMENT)  ## measure it all against floors and peers (or ROWS="plan help"); fails where a goal is missed
	@$(BIN)/python -m benchmarks $(ROWS) --json build/bench.json

check: $(ENVIRONMENT)  ## format, lint, types and the direction of imports
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

docs: $(ENVIRONMENT)  ## write the pages of docs/reference/ that say what help and schemas say
	@$(BIN)/python .ci/reference.py

# A copied or moved environment still works on the folder that it was made in.
ifneq "$(shell test -x $(BIN)/python && cat $(ENVIRONMENT) 2>/dev/null)" "$(CURDIR)"
.PHONY: $(ENVIRONMENT)
endif

$(ENVIRONMENT): pyproject.toml requirements/dev.txt
	@python=$$(sh .ci/find-python "$(PYTHON)") && echo "making .venv with $$python" && "$$python" -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@echo "$(CURDIR)" >$@

# Strict: a package that the service knows nothing of has not been looked up, and that is a failure, too.
audit: $(ENVIRONMENT)  ## look up all that is locked among the known vulnerabilities; OSV=URL asks that service
	@$(BIN)/pip-audit --strict --disable-pip --progress-spinner off \
		$(if $(OSV),--vulnerability-service osv --osv-url "$(OSV)",--require-hashes) $(patsubst %,-r %,$(wildcard requirements/*.txt))

sbom: $(ENVIRONMENT)  ## write what the program is made of to build/sbom.cdx.json, a CycloneDX document
	@$(BIN)/python -m venv --clear --without-pip build/sbom
	@$(BIN)/python -m pip --python build/sbom/bin/python install --quiet --no-deps --require-hashes -r requirements/runtime.txt
	@$(BIN)/cyclonedx-py environment --validate --pyproject pyproject.toml -o build/sbom.cdx.json build/sbom

mutants: build/mutation/.made  ## change what decides (or ONLY="plan drift") bit by bit, and tell what no unit test notices
	@build/mutation/bin/python .ci/mutants.py $(ONLY)

build/mutation/.made: requirements/dev.txt requirements/mutation.txt
	@python=$$(sh .ci/find-python "$(PYTHON)") && "$$python" -m venv --clear build/mutation
	@build/mutation/bin/python -m pip install --quiet --no-deps --require-hashes $(patsubst %,-r %,$^)
	@touch $@

orb: $(ENVIRONMENT)  ## pack the orb's pieces into the one file that pipelines load
	@$(BIN)/python .ci/pack-orb.py orb/src orb/orb.yml

LOCK := build/lock/bin/uv pip compile --quiet --python build/lock/bin/python --universal --python-version 3.11 \
	--generate-hashes --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

lock:  ## pin dependencies: what pyproject.toml newly asks for, or with UPGRADE=1 the newest of all
	@python=$$(sh .ci/find-python "$(PYTHON)") && "$$python" -m venv --clear build/lock
	@build/lock/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements/lock.txt
	@$(LOCK) pyproject.toml --extra jwt --extra sandbox --extra vault --group dev -o requirements/dev.txt
	@$(LOCK) pyproject.toml --constraint requirements/dev.txt -o requirements/runtime.txt
	@$(LOCK) pyproject.toml --extra vault --constraint requirements/dev.txt -o requirements/vault.txt
	@$(LOCK) pyproject.toml --extra jwt --constraint requirements/dev.txt -o requirements/jwt.txt
	@$(LOCK) --group mutation --constraint requirements/dev.txt -o requirements/mutation.txt
	@$(LOCK) --group lock -o requirements/lock.txt

clean:  ## remove all that was made
	@rm -rf .venv build dist htmlcov test-results .coverage .coverage.* .hypothesis .*_cache
