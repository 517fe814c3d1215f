"""Energy of a mapped block from counted transitions and the library's tables.

* switching: each transition of a net moves C V² / 2, C the capacitance of the pins on it;
* internal: tables of the cells, at the pin's own transition and load; an output's is the mean over
its input pins weighted by how often each
  switches;
* clock pins: their capacitance and internal energy at both edges of every cycle, whatever the data;
* leakage: the cells' mean leakage for the time of a cycle.

Wires and the clock tree are estimates, kept apart (``estimates``). Glitches are what the timed
waveforms have more than settled values have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .delays import Delays
from .estimates import CORNERS, Corner, clock_wire_ff_per_sink, wire_ff_per_sink
from .expression import Expression, evaluate
from .internal_energy import CellEnergy, cell_energies
from .netlist import Instance, Netlist
from .waveforms import Waves

__all__ = ["EnergyReport", "block_energy"]


@dataclass(frozen=True, slots=True)
class EnergyReport:
    """fJ per cycle, means over the cycles counted. ``total_fj`` has no estimate in it."""

    cycles: int
    switching_fj: float
    internal_fj: float
    clock_pins_fj: float
    leakage_fj: float
    glitch_share: float
    """Part of switching energy in transitions that a simulation without delays does not have."""
    toggles_per_net: float
    """Transitions per net and cycle, glitches included."""
    wires_fj: dict[str, float]
    """Estimate (value, low, high): charging the wires between cells. Not in ``total_fj``."""
    clock_tree_fj: dict[str, float]
    """Estimate (value, low, high): wires and buffers up to the clock pins. Not in ``total_fj``."""

    @property
    def total_fj(self) -> float:
        return self.switching_fj + self.internal_fj + self.clock_pins_fj + self.leakage_fj

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "total_fj": self.total_fj}

    @property
    def with_estimates_fj(self) -> float:
        """``total_fj`` with the estimates of wires and clock tree."""
        return self.total_fj + self.wires_fj["value"] + self.clock_tree_fj["value"]


def block_energy(
    netlist: Netlist, delays: Delays, waves: Waves, voltage_v: float, period_ps: float, cycles: int,
    cells: Mapping[str, CellEnergy] | None = None,
) -> EnergyReport:  # fmt: skip
    """Energy per cycle of all cells. ``cycles`` is the number of cycles in ``waves``; ``cells`` is
    what ``cell_energies`` gives for the netlist, if it is at hand."""
    inside = cells or cell_energies(netlist, delays)
    clocks = set(netlist.inputs.get("clk", ()))
    driven = [
        net
        for net in range(2, netlist.net_count)
        if waves.nets[net] is not None and net not in clocks
    ]
    edges = {net: waves.edges(net) for net in driven}
    half = 0.5 * voltage_v**2
    switching = sum(half * delays.load_ff[net] * sum(edges[net]) for net in driven)
    settled = sum(half * delays.load_ff[net] * waves.settled_edges(net) for net in driven)
    internal = sum(
        _gate_internal(gate, inside[gate.name], waves, edges) for gate in netlist.ordered
    )
    clock = 0.0
    for flop in netlist.flops:
        pins, data = _flop(flop, inside[flop.name], waves, edges, voltage_v, cycles)
        clock += pins
        internal += data
    wires, tree = {}, {}
    for name, corner in CORNERS.items():
        per_sink = wire_ff_per_sink(netlist, corner)
        toggles = sum(sum(edges[net]) * len(netlist.sinks.get(net, ())) for net in driven)
        wires[name] = half * per_sink * toggles / cycles
        tree[name] = _clock_tree(netlist, corner, voltage_v)
    leakage = sum(instance.cell.leakage_nw for instance in netlist.instances) * period_ps * 1e-6
    return EnergyReport(
        cycles=cycles,
        switching_fj=float(switching) / cycles,
        internal_fj=internal / cycles,
        clock_pins_fj=clock / cycles,
        leakage_fj=float(leakage),
        glitch_share=float(1 - settled / switching) if switching else 0.0,
        toggles_per_net=sum(map(sum, edges.values())) / max(len(driven), 1) / cycles,
        wires_fj=wires,
        clock_tree_fj=tree,
    )


def _clock_tree(netlist: Netlist, corner: Corner, voltage_v: float) -> float:
    """Energy per cycle of the clock's wires and buffers, fJ; the leaves' own pins are counted
    elsewhere."""
    pins = sum(
        pin.capacitance_ff for flop in netlist.flops for pin in flop.cell.inputs if pin.is_clock
    )
    wires = clock_wire_ff_per_sink(netlist, corner) * len(netlist.flops)
    return (wires + corner.tree_buffers * (pins + wires)) * voltage_v**2


def _output_internal(
    causes: Mapping[str, tuple[float, float]], weights: Mapping[str, float], edges: tuple[int, int]
) -> float:
    """Internal energy of an output's transitions, fJ, over all cycles; ``causes`` by input pin."""
    if not causes:
        return 0.0
    share = {name: weights.get(name, 0.0) for name in causes}
    if not any(share.values()):
        share = dict.fromkeys(causes, 1.0)
    total = sum(share.values())
    return sum(
        share[name] / total * (rise * edges[0] + fall * edges[1])
        for name, (rise, fall) in causes.items()
    )


def _gate_internal(
    gate: Instance, inside: CellEnergy, waves: Waves, edges: dict[int, tuple[int, int]]
) -> float:
    names = [pin.name for pin in gate.cell.inputs if pin.name in gate.nets]
    weights = {name: float(sum(edges.get(gate.nets[name], (0, 0)))) for name in names}
    energy = 0.0
    for name, causes in inside.outputs.items():
        if gate.nets[name] in edges:
            energy += _output_internal(causes, weights, edges[gate.nets[name]])
    for name, arcs in inside.inputs.items():
        if not weights.get(name):
            continue
        net = gate.nets[name]
        wave = waves.of(net)
        for arc in arcs:
            if not arc.rise_fj and not arc.fall_fj:
                continue
            if arc.when is None:
                rises, falls = edges[net]
            else:
                holds = _condition(gate, arc.when, waves)[1:] & waves.mask
                rises = int(np.bitwise_count(~wave[:-1] & wave[1:] & holds).sum())
                falls = int(np.bitwise_count(wave[:-1] & ~wave[1:] & holds).sum())
            energy += arc.rise_fj * rises + arc.fall_fj * falls
    return energy


def _condition(instance: Instance, when: Expression, waves: Waves) -> np.ndarray:
    zeros = waves.of(0)
    values = {
        pin: waves.of(net) for pin, net in instance.nets.items() if waves.nets[net] is not None
    }
    for pin in instance.cell.outputs:
        if pin.name not in values and pin.function is not None and instance.cell.flip_flop is None:
            values[pin.name] = evaluate(pin.function, values, zeros)
    return np.asarray(evaluate(when, values, zeros))


def _flop(
    flop: Instance,
    inside: CellEnergy,
    waves: Waves,
    edges: dict[int, tuple[int, int]],
    voltage_v: float,
    cycles: int,
) -> tuple[float, float]:
    """(clock pin, everything else) energy of a flip-flop over all cycles, fJ."""
    clock_pin = next(pin for pin in flop.cell.inputs if pin.is_clock)
    clock = clock_pin.capacitance_ff * voltage_v**2 * cycles
    # rising edge: data settled in the cycle before, old state; falling edge: data and state settled
    first, last = (_states(flop, waves, slot) for slot in (0, -1))
    count = np.bitwise_count
    for arc in inside.inputs.get(clock_pin.name, ()):
        if arc.when is None:
            clock += (arc.rise_fj + arc.fall_fj) * cycles
            continue
        zeros = waves.of(0)[0]
        clock += arc.rise_fj * int(count(evaluate(arc.when, first, zeros) & waves.mask).sum())
        clock += arc.fall_fj * int(count(evaluate(arc.when, last, zeros) & waves.mask).sum())
    data = 0.0
    for name, causes in inside.outputs.items():
        data += _output_internal(causes, {clock_pin.name: 1.0}, edges[flop.nets[name]])
    for name, arcs in inside.inputs.items():
        net = flop.nets[name]
        if name == clock_pin.name or net not in edges:
            continue
        # conditions of data pins name the clock and the state; half of the time each level
        rises, falls = edges[net]
        data += sum(arc.rise_fj * rises + arc.fall_fj * falls for arc in arcs) / len(arcs)
    return clock, data


def _states(flop: Instance, waves: Waves, slot: int) -> dict[str, np.ndarray]:
    """Values of all pins of a flip-flop at a slot; the clock counts as low before its edge and high
    after it."""
    zeros = waves.of(0)[0]
    values = {}
    for pin, net in flop.nets.items():
        wave = waves.nets[net]
        values[pin] = zeros if wave is None else wave[slot]
    state = flop.cell.flip_flop
    assert state is not None
    known = next(
        (
            (pin, values[pin.name])
            for pin in flop.cell.outputs
            if pin.name in flop.nets and pin.function is not None
        ),
        None,
    )
    if known is not None:
        output, value = known
        is_true = output.function == ("pin", state.variables[0])
        variables = {state.variables[0]: value if is_true else ~value}
        if len(state.variables) > 1:
            variables[state.variables[1]] = ~variables[state.variables[0]]
        for other in flop.cell.outputs:
            if other.name not in values and other.function is not None:
                values[other.name] = evaluate(other.function, variables, zeros)
    return values
