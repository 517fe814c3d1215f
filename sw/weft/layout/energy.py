"""Energy in a layout's wires under the operands of real programs, against the estimate.

Same gates, same cycles, same transitions (glitches included, at the delays before layout); only the
capacitance of the wires differs. The clock's net is left out, as in the estimate of the wires.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from weft_hw.config import ChipConfig

from weft.synth.activity import GateBench
from weft.synth.estimates import CORNERS, wire_ff_per_sink
from weft.synth.library import CellLibrary
from weft.synth.netlist import Netlist
from weft.synth.stimuli import STIMULI
from weft.synth.waveforms import Waves, simulate_waves

from .design import Design

__all__ = ["WireEnergy", "switched_fj", "wire_energies"]


@dataclass(frozen=True, slots=True)
class WireEnergy:
    """fJ per operation in wires: with the extracted capacitances, and as estimated."""

    case: str
    extracted_fj: float
    estimate_fj: float

    @property
    def ratio(self) -> float:
        return self.extracted_fj / self.estimate_fj if self.estimate_fj else 1.0


def switched_fj(waves: Waves, capacitance_ff: Mapping[int, float], voltage_v: float) -> float:
    """Energy of all transitions in all cycles: C V² / 2 each. Capacitances by net number."""
    half = 0.5 * voltage_v**2
    return sum(half * ff * sum(waves.edges(net)) for net, ff in capacitance_ff.items())


def wire_energies(
    block: str, config: ChipConfig, netlist: Netlist, design: Design, library: CellLibrary,
    extracted_ff: Mapping[str, float], rtl: str, folder: Path, vectors: int,
) -> list[WireEnergy]:  # fmt: skip
    """Every case of a block's stimulus; none for a block without.

    Raises
    ------
    FlowError
        if the gates do not do what the RTL does.
    """
    if block not in STIMULI:
        return []
    numbers = _numbers(netlist, design)
    clocks = set(netlist.inputs.get("clk", ()))
    per_sink = wire_ff_per_sink(netlist, CORNERS["value"])
    real, estimate = {}, {}
    for net, sinks in netlist.sinks.items():
        if net in numbers and net not in clocks:
            real[net] = extracted_ff[numbers[net]]
            estimate[net] = per_sink * len(sinks)
    bench = GateBench(netlist, library, rtl, folder, folder / "simulations")
    delays = bench.delays()
    cases, stimulus_of = STIMULI[block]
    results = []
    for case in cases:
        stimulus = stimulus_of(config, 1, case, vectors)
        before, after = bench.simulate(stimulus.values, stimulus.warm_up)
        waves = simulate_waves(netlist, delays, before, after)
        operations = len(after) * stimulus.operations
        extracted, estimated = (
            switched_fj(waves, capacitance, library.voltage_v) / operations
            for capacitance in (real, estimate)
        )
        results.append(WireEnergy(case.label, extracted, estimated))
    return results


def _numbers(netlist: Netlist, design: Design) -> dict[int, str]:
    """Number of each routed net that joins a cell, with its name."""
    parts = {part.name: part for part in design.parts}
    return {
        bit: parts[instance.name].nets[pin]
        for instance in netlist.instances
        for pin, bit in instance.nets.items()
        if parts[instance.name].nets[pin] in design.nets
    }
