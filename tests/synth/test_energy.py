"""Energy by hand: one gate, one flip-flop, one glitch."""

import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from weft.synth.delays import compute_delays, net_loads_ff
from weft.synth.energy import block_energy
from weft.synth.gate_verilog import cell_model
from weft.synth.library import load_library
from weft.synth.netlist import read_netlist
from weft.synth.waveforms import simulate_waves

sys.path.insert(0, str(Path(__file__).parent))
from tiny_library import write_tiny


@pytest.fixture
def tiny(tmp_path):
    return load_library([write_tiny(tmp_path / "tiny.lib")])


def _netlist(tmp_path, library, cells, inputs, outputs):
    ports = {name: {"direction": "input", "bits": [bit]} for name, bit in inputs.items()}
    ports |= {name: {"direction": "output", "bits": [bit]} for name, bit in outputs.items()}
    entries = {
        name: {"type": kind, "connections": {pin: [bit] for pin, bit in pins.items()}}
        for name, (kind, pins) in cells.items()
    }
    path = tmp_path / "netlist.json"
    path.write_text(json.dumps({"modules": {"top": {"ports": ports, "cells": entries}}}))
    return read_netlist(path, "top", library)


def _energy(netlist, sequences):
    """Energy under given input values by cycle (and state), first value before the first cycle."""
    cycles = len(next(iter(sequences.values()))) - 1
    values = np.zeros((cycles + 1, netlist.net_count), dtype=bool)
    for net, sequence in sequences.items():
        values[:, net] = sequence
    delays = compute_delays(netlist, 0.0, net_loads_ff(netlist))
    waves = simulate_waves(netlist, delays, values[:-1], values[1:])
    return block_energy(netlist, delays, waves, 1.0, 1000.0, cycles)


def test_one_inverter_driving_another(tmp_path, tiny):
    cells = {"a": ("INV", {"A": 10, "Y": 11}), "b": ("INV", {"A": 11, "Y": 12})}
    netlist = _netlist(tmp_path, tiny, cells, {"x": 10}, {"y": 12})
    report = _energy(netlist, {netlist.inputs["x"][0]: [0, 1, 0, 0, 1]})
    # three transitions: nets x and between carry 2 fF each, the output nothing: 3 x 2 x (2 fF x 1
    # V² / 2)
    assert report.switching_fj * report.cycles == pytest.approx(6.0)
    # x rises twice and falls once: the first inverter falls twice (1 fJ) and rises once (3 fJ), the
    # second the other way round
    assert report.internal_fj * report.cycles == pytest.approx((2 * 1 + 3) + (2 * 3 + 1))
    assert report.leakage_fj == pytest.approx(2 * 5.0 * 1e-9 * 1e-9 * 1e15)
    assert report.clock_pins_fj == report.glitch_share == 0.0


def test_one_flip_flop(tmp_path, tiny):
    cells = {"f": ("DFF", {"D": 10, "CK": 9, "Q": 11})}
    netlist = _netlist(tmp_path, tiny, cells, {"clk": 9, "d": 10}, {"q": 11})
    report = _energy(
        netlist, {netlist.inputs["d"][0]: [0, 1, 1, 0], netlist.state_nets[0]: [0, 0, 1, 1]}
    )
    # clock: 2 fF x 1 V² and 4 + 2 fJ inside, every cycle
    assert report.clock_pins_fj == pytest.approx(2.0 + 6.0)
    # Q rises once (7 fJ, no load); D moves twice (2 fF)
    assert report.internal_fj * 3 == pytest.approx(7.0)
    assert report.switching_fj * 3 == pytest.approx(2.0)


def test_a_glitch_is_counted_and_a_short_one_is_swallowed(tmp_path, tiny):
    def glitch_share(inverters):
        # x ^ (x delayed by inverters): settles to a constant, in between the exclusive or may pulse
        chain = [10, *range(20, 20 + inverters)]
        cells = {f"i{n}": ("INV", {"A": a, "Y": b}) for n, (a, b) in enumerate(pairwise(chain))}
        cells["x"] = ("XOR2", {"A": 10, "B": chain[-1], "Y": 50})
        cells["load"] = ("INV", {"A": 50, "Y": 51})
        netlist = _netlist(tmp_path, tiny, cells, {"x": 10}, {"y": 51})
        report = _energy(netlist, {netlist.inputs["x"][0]: [0, 1, 0, 1, 0]})
        return report.glitch_share

    # an exclusive or of 20 ps swallows a pulse of one inverter (10 ps) and passes one of four
    assert glitch_share(1) == pytest.approx(0.0, abs=1e-9)
    assert glitch_share(4) > 0.1


def test_models_of_cells(tiny):
    assert "assign Y = ~(A & B);" in cell_model(tiny.cell("NAND2"))
    flop = cell_model(tiny.cell("DFF"))
    assert "always @(posedge weft_clock)" in flop
    assert "assign Q = IQ;" in flop
