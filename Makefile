# Everything is built inside .venv; each target is quick the second time (stamp files inside .venv).

PYTHON ?= python3
VENV   ?= .venv
# Tests run at the same time. They wait more than they compute, so there is one more than there are processors.
WORKERS ?= $(shell expr $$(nproc) + 1)
# PyTorch for processors alone: a tenth of what the package index has.
TORCH  ?= https://download.pytorch.org/whl/cpu
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip --disable-pip-version-check

# pip install '.[...]' would build and install this package once more for each extra. What is imported of the others is compiled then.
define extra
@echo "installing what pyproject.toml names as $(1)"
@$(PY) -c 'import sys, tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"][sys.argv[1]], sep="\n")' $(1) \
  | xargs -d '\n' $(PIP) install --quiet --no-compile
endef

# What failed while others ran is run once more, alone, and both outcomes are seen: bounds of time that a crowded machine breaks hold then.
again = || { [ $$? -eq 1 ] && $(PY) -m pytest --last-failed --last-failed-no-failures none $(1); }

SOURCES := $(shell find src scripts -type f -not -name '*.pyc' 2>/dev/null)
SUITES  := $(wildcard tests/unit tests/upgrade tests/properties tests/simulation tests/cluster tests/compat tests/campaign tests/fuzz tests/meta)

.PHONY: demo test check system clients bench campaign fuzz fuzz-proof docs site deb packages-test clean

demo: $(VENV)/.installed
	$(VENV)/bin/slurm demo

test: $(VENV)/.installed $(VENV)/.dev
	$(PY) -m pytest -n $(WORKERS) --dist worksteal -m "not alone and not slow" $(SUITES) $(call again,$(SUITES))
	$(PY) -m pytest -m "alone and not slow" $(SUITES) $(call again,$(SUITES))

check: $(VENV)/.installed $(VENV)/.dev
	$(PY) -m ruff check src tests examples docs bench
	$(PY) -m mypy
	$(PY) -m mypy tests/unit/sdk/typed_program.py

system: $(VENV)/.installed $(VENV)/.dev
	$(PY) -m pytest -n $(WORKERS) --dist loadfile tests/system -m "not clients and not alone and not slow" $(call again,tests/system)
	$(PY) -m pytest tests/system -m "alone and not clients and not slow" $(call again,tests/system)

clients: $(VENV)/.installed $(VENV)/.dev $(VENV)/.clients $(VENV)/published/.installed
	$(PY) -m pytest tests/system -m clients

bench: $(VENV)/.installed
	$(PIP) install --quiet hyperqueue || echo "HyperQueue cannot be installed here: the table goes without it"
	$(PY) -m bench

# Half an hour of faults on a cluster of machines made of namespaces, as root; docs/reliability.md says what was tried and found.
campaign: $(VENV)/.installed $(VENV)/.dev
	$(PY) -m pytest tests/system -m slow
	! command -v qemu-system-x86_64 >/dev/null || tests/campaign/in_virtual_machine $(PY) -m pytest -q tests/cluster/slurmd/test_confinement.py -k process_in
	mkdir -p build
	$(PY) -m tests.campaign --seconds 1800 --report docs/reliability.md --logs build/campaign.log
	$(PY) -m tests.campaign.takeovers --takeovers 20 --jobs 300 --report docs/reliability.md

# The fuzzers for long; FUZZ_SEED=N begins elsewhere. That they find what they should: planted faults, one by one, in a copy of the sources.
fuzz: $(VENV)/.installed $(VENV)/.dev
	FUZZ_SCALE=$${FUZZ_SCALE:-30} $(PY) -m pytest -n $(WORKERS) --dist worksteal tests/fuzz

fuzz-proof: $(VENV)/.installed $(VENV)/.dev
	$(PY) -m tests.fuzz.mutations

docs: $(VENV)/.installed
	$(PY) docs/compatibility.py
	$(PY) docs/limits.py
	$(PY) -m slurm.manual packaging

site: $(VENV)/.installed $(VENV)/.site
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet
	@echo "the site begins at site/index.html"

# The Debian packages, into build/deb; WHEELS=FOLDER takes the wheels of others from there instead of from the index.
deb: | $(PY)
	$(PY) packaging/debian/build.py $(if $(WHEELS),--wheels $(WHEELS)) build/deb
	@ls build/deb

# Minutes, as root: the packages in a clean root of Debian (mmdebstrap, lintian), installed, upgraded with a job running, removed, purged.
packages-test: | $(PY)
	$(PY) packaging/debian/build.py --fast $(if $(WHEELS),--wheels $(WHEELS)) --revisions 1 2 -- build/deb-test
	lintian --fail-on error --tag-display-limit 0 build/deb-test/*-1_*.deb
	packaging/tests/debian build/deb-test

clean:
	rm -rf $(VENV) build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "make: $(PYTHON) is older than Python 3.11: say which one to use with 'make PYTHON=/path/to/python3.11'" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "make: $(PYTHON) cannot create a virtual environment: on Debian, apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml hatch_build.py $(SOURCES) | $(PY)
	$(PIP) install --quiet .
	@$(PY) -P -m slurm.commands.frozen.build
	@touch $@

# Order-only on .installed: a changed source file reinstalls the package, not the tools.
$(VENV)/.dev: pyproject.toml | $(VENV)/.installed
	$(call extra,dev)
	@touch $@

$(VENV)/.clients: pyproject.toml | $(VENV)/.installed
	$(call extra,clients)
	$(PIP) install -qq --no-compile --retries 1 'torch==2.13.0' --extra-index-url $(TORCH)
	@touch $@

# The published SDK has the import name of ours, so it needs an environment of its own; it hands words to paramiko that this has not since 4.
$(VENV)/published/.installed: | $(PY)
	$(PYTHON) -m venv --without-pip $(VENV)/published
	$(PIP) --python $(VENV)/published/bin/python install --quiet --no-compile slurm-sdk==0.4.6 'paramiko<4'
	@touch $@

$(VENV)/.site: pyproject.toml | $(VENV)/.installed
	$(call extra,docs)
	@touch $@
