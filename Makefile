# `make demo` sets up everything and runs the main job; `make test` passes the tests. Both start from nothing.
.PHONY: setup demo test check gates clean

setup: .venv/.ready

.venv/.ready: pyproject.toml constraints.txt scripts/setup.sh
	sh scripts/setup.sh

demo: setup
	.venv/bin/chorus demo

test: setup
	.venv/bin/python -m pytest

check: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

gates: setup
	.venv/bin/python -m benchmarks.extract_gate
	.venv/bin/python -m benchmarks.classify_gate

clean:
	rm -rf .venv
