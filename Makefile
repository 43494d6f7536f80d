# make test | quick | test-wheel | demo | docs | lint | slow | coverage | mutation | lock | env | clean-env
# The environment is built on first use and again whenever a file it depends on changes.

PYTHON ?= python3
PYTEST_ARGS ?=
DEMO_ARGS ?=
JOBS ?= 2
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.stamp
UV ?= uv
ON_WHEEL := tests/test_main.py tests/test_wheel.py tests/test_model_index.py tests/test_requirements.py \
  tests/folder tests/report tests/models/test_registry.py tests/tools/test_doctor.py \
  tests/tools/test_environment.py
GUI_OPENCV := opencv-python opencv-contrib-python

# The processes of the tests share the cores; threads on top of that only slow them down.
export OMP_NUM_THREADS ?= 1

.PHONY: help test quick test-wheel slow coverage mutation demo docs lint lock env clean-env

help:
	@sed -n 1,2p Makefile

# worksteal: no worker waits while another has a queue
test: $(STAMP)
	$(RUN) -m pytest -n $(JOBS) --dist worksteal $(PYTEST_ARGS)

# What a change of the maths touches, in under a minute.
quick: $(STAMP)
	$(RUN) -m pytest -n $(JOBS) tests/test_arguments.py tests/test_import_rules.py tests/functional \
	  tests/dare tests/models $(PYTEST_ARGS)

# The installed wheel, without the source: its code is compared with the source, and the tests are run
# of what finds files of the installation. `nox` runs most of the others too, for each interpreter.
test-wheel: $(STAMP)
	bash tests/run_on_wheel.sh $(RUN) -n $(JOBS) $(ON_WHEEL) $(PYTEST_ARGS)

slow: $(STAMP)
	$(RUN) -m pytest -n $(JOBS) -m slow --timeout 1800 $(PYTEST_ARGS)

# Which lines of the package the tests run, processes that they start included.
coverage: $(STAMP)
	rm -rf build/coverage && mkdir -p build/coverage
	$(RUN) -m coverage run -m pytest -n $(JOBS) --dist worksteal $(PYTEST_ARGS)
	$(RUN) -m coverage combine --quiet
	$(RUN) -m coverage report

# Breaks each equation once; every fault must make a test fail. Some ten minutes.
mutation: $(STAMP)
	$(RUN) -m tests.mutation.run --jobs $(JOBS)

demo: $(STAMP)
	$(RUN) tools/demo.py $(DEMO_ARGS)

# Pages for a browser, in build/docs; a link to what is not there is an error.
docs: $(STAMP)
	$(RUN) -W ignore -m sphinx -q -W --keep-going -c docs -b html . build/docs

lint: $(STAMP)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m codespell_lib

env: $(STAMP)

clean-env:
	rm -rf $(VENV)

# A stamp proves nothing if the interpreter was removed or the installation broken by hand.
ifneq ($(shell $(RUN) -c 'import pytest' 2>/dev/null && echo works),works)
.PHONY: $(STAMP)
endif

# Needs uv (pip install uv). Versions stay unless pinned.txt or UV_ARGS=--upgrade says otherwise.
lock:
	bash requirements/lock.sh $(UV) $(UV_ARGS)

$(STAMP): requirements/lock.txt setup.py pyproject.toml
	@$(RUN) -m pip --version >/dev/null 2>&1 || { \
	  $(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || { \
	    echo "$(PYTHON) is missing or not Python 3.10 to 3.13." \
	      "Name one that is: make PYTHON=/path/to/python3.11" >&2; exit 1; }; \
	  $(PYTHON) -m venv --clear $(VENV); }
	$(RUN) -m pip install --no-compile --no-deps --require-hashes -r requirements/lock.txt
	@# pip would compile one file after the other; files of templates cannot be compiled.
	@$(RUN) -m compileall -q -j 0 $(VENV)/lib >/dev/null || true
	@# Builds of OpenCV overwrite each other; one left from an earlier installation has to go.
	@if $(RUN) -m pip show --quiet $(GUI_OPENCV) 2>/dev/null; then \
	  $(RUN) -m pip uninstall --yes $(GUI_OPENCV) && \
	  $(RUN) -m pip install --no-deps --force-reinstall -c requirements/pinned.txt \
	    opencv-python-headless; fi
	$(RUN) -m pip install --no-deps --no-build-isolation -e .
	@touch $(STAMP)
