# `make demo` sets up everything and runs the main job; `make test` passes the tests. Both start from nothing.
.PHONY: setup demo test systems check gates clean

setup: .venv/.ready

.venv/.ready: pyproject.toml constraints.txt scripts/setup.sh
	sh scripts/setup.sh

demo: setup
	.venv/bin/chorus demo

# half of the time is waiting (pages that hang, delays that are kept), so files of tests run side by side
test: setup
	.venv/bin/python -m pytest -n auto --maxprocesses 4 --dist loadfile

# what the tests on real comment systems need, installed beforehand (they install it themselves where they may)
systems: setup
	sh scripts/test-systems.sh

check: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

gates: setup
	.venv/bin/python -m benchmarks.extract_gate
	.venv/bin/python -m benchmarks.classify_gate
	.venv/bin/python -m benchmarks.retrieval.evaluate

clean:
	rm -rf .venv
