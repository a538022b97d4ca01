PYTHON ?= python
.PHONY: help test lint docs gallery baselines bench

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST)
test:  ## the tests and the examples in the docstrings
	$(PYTHON) -m pytest -n 2
lint:  ## ruff, mypy and the floors
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	lint-imports
docs:  ## docs/_build/html; warnings are errors
	$(PYTHON) -m sphinx -W --keep-going -b html docs docs/_build/html
gallery:  ## every gallery figure anew, then the docs
	rm -rf docs/gallery
	$(MAKE) docs
baselines:  ## the few reference pictures anew: look at each before it is committed
	$(PYTHON) -m pytest tests -k baseline --regenerate-baselines
bench:  ## exploded voxels against Axes3D.voxels, label maps and the ray caster against pyvista
	$(PYTHON) benchmarks/voxels.py
	$(PYTHON) benchmarks/labels.py
	$(PYTHON) benchmarks/engines.py
