"""Energy in wires: by hand, and its estimate against the one of the flow without layout."""

import numpy as np
import pytest
from tiny_layout import tiny_design, tiny_netlist
from tiny_library import write_tiny
from weft.layout import energy
from weft.layout.energy import switched_fj, wire_energies
from weft.synth.activity import GateBench
from weft.synth.energy import block_energy
from weft.synth.estimates import CORNERS, wire_ff_per_sink
from weft.synth.library import load_library
from weft.synth.stimuli import Case, Stimulus
from weft.synth.waveforms import Waves, simulate_waves
from weft_hw.presets import preset

_CYCLES = 128


def test_transitions_by_hand():
    """Three slots; cycles 0 and 1 of 64: net 2 rises and falls once in cycle 0, net 3 falls in
    cycle 1."""
    two = np.array([[0], [1], [0]], dtype=np.uint64)
    three = np.array([[2], [2], [0]], dtype=np.uint64)
    waves = Waves([None, None, two, three], np.array([3], dtype=np.uint64), 1.0)
    # 1.8 V: 0.5 * 3.24 = 1.62 fJ per fF and transition
    assert switched_fj(waves, {2: 10.0, 3: 5.0}, 1.8) == pytest.approx(1.62 * (2 * 10 + 1 * 5))
    assert switched_fj(waves, {3: 5.0}, 1.8) == pytest.approx(1.62 * 5)


def test_estimate_is_that_of_the_flow_without_layout(tmp_path, monkeypatch):
    """Clock or ports counted twice, operations forgotten, nets taken for others."""
    rng = np.random.default_rng(7)
    netlist, design = tiny_netlist(tmp_path), tiny_design(tmp_path)
    library = load_library([write_tiny(tmp_path / "tiny.lib")])
    # inputs a are nets 3 and 4, the flip-flop's is net 6
    before, after = (rng.integers(0, 2, (_CYCLES, netlist.net_count)) > 0 for _ in range(2))
    # the clock must not count, even where it is seen to move
    before[:, 2], after[:, 2] = False, True
    monkeypatch.setattr(GateBench, "simulate", lambda self, values, warm_up: (before, after))
    stimulus = Stimulus({}, 0, 2.0)
    cases = ((Case("random"),), lambda config, cols, case, vectors: stimulus)
    monkeypatch.setitem(energy.STIMULI, "tiny", cases)
    per_sink = wire_ff_per_sink(netlist, CORNERS["value"])
    # each net with one sink: wires three times the estimate on all but y, which has no sink
    extracted = {net: 3 * per_sink for net in design.nets} | {"y": 1000.0, "clk": 1000.0}
    (result,) = wire_energies(
        "tiny", preset("nano"), netlist, design, library, extracted, "", tmp_path, _CYCLES
    )
    bench = GateBench(netlist, library, "", tmp_path, tmp_path)
    waves = simulate_waves(netlist, bench.delays(), before, after)
    report = block_energy(netlist, bench.delays(), waves, library.voltage_v, 100.0, _CYCLES)
    assert report.wires_fj["value"] > 0
    # two operations in each cycle
    assert result.estimate_fj == pytest.approx(report.wires_fj["value"] / 2)
    assert result.ratio == pytest.approx(3)
    assert result.case == "random"


def test_a_block_without_stimulus_has_none(tmp_path):
    netlist, design = tiny_netlist(tmp_path), tiny_design(tmp_path)
    library = load_library([write_tiny(tmp_path / "tiny.lib")])
    assert not wire_energies(
        "control", preset("nano"), netlist, design, library, {}, "", tmp_path, 64
    )
