"""Loads, transitions and delays of every gate at its own load, from the library's tables.

One pass in topological order with the slowest input transition, as a timing analyser does; the
result places glitches in
time and picks rows of the energy tables. OpenSTA stays the reference for the critical path.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .library import CellLibrary
from .netlist import Instance, Netlist

__all__ = ["Delays", "compute_delays", "net_loads_ff", "typical_slew_ps"]


@dataclass(slots=True)
class Delays:
    """``load_ff`` (nets,) of pins alone; ``slew_ps`` (nets,); ``arrival_ps`` (nets,) after the
    clock edge; ``arc_ps``:
    mean of rise and fall delay by (instance name, input pin, output pin)."""

    load_ff: np.ndarray
    slew_ps: np.ndarray
    arrival_ps: np.ndarray
    arc_ps: dict[tuple[str, str, str], float]

    @property
    def latest_ps(self) -> float:
        """The last arrival of any net."""
        return float(self.arrival_ps.max())


def typical_slew_ps(library: CellLibrary) -> float:
    """Transition of the smallest inverter that drives four of itself: the transition assumed at
    inputs and clock pins."""
    best: tuple[float, float] | None = None
    for name in library.cell_names:
        if "inv" not in name.lower() or name in library.dont_use:
            continue
        cell = library.cell(name)
        if len(cell.inputs) != 1 or len(cell.outputs) != 1 or not cell.outputs[0].timing:
            continue
        pin, out = cell.inputs[0], cell.outputs[0]
        if out.function != ("not", ("pin", pin.name)):
            continue
        slew = 0.0
        for _ in range(4):
            slew = float(np.mean([t.at(slew, 4 * pin.capacitance_ff) for t in out.timing[0].slew]))
        if best is None or pin.capacitance_ff < best[0]:
            best = (pin.capacitance_ff, slew)
    return best[1] if best else 0.0


def net_loads_ff(netlist: Netlist) -> np.ndarray:
    """Capacitance of the input pins on each net, fF. Shape (nets,)."""
    loads = np.zeros(netlist.net_count)
    for net, sinks in netlist.sinks.items():
        loads[net] = sum(instance.cell.pins[pin].capacitance_ff for instance, pin in sinks)
    return loads


def compute_delays(netlist: Netlist, input_slew_ps: float, load_ff: np.ndarray) -> Delays:
    """Propagates transitions and arrivals. Inputs arrive with the flip-flops' outputs (they come
    from a neighbour's)."""
    slew = np.full(netlist.net_count, input_slew_ps)
    arrival = np.zeros(netlist.net_count)
    arcs: dict[tuple[str, str, str], float] = {}

    def drive(instance: Instance, inputs: dict[str, tuple[float, float]]) -> None:
        for pin in instance.cell.outputs:
            net = instance.nets.get(pin.name)
            if net is None:
                continue
            latest, slowest = 0.0, 0.0
            for arc in pin.timing:
                if arc.related not in inputs:
                    continue
                at, input_slew = inputs[arc.related]
                delay = sum(table.at(input_slew, load_ff[net]) for table in arc.delay) / 2
                key = (instance.name, arc.related, pin.name)
                arcs[key] = max(arcs.get(key, 0.0), delay, 0.0)
                latest = max(latest, at + delay)
                slowest = max(slowest, *(t.at(input_slew, load_ff[net]) for t in arc.slew))
            arrival[net] = latest
            slew[net] = slowest if slowest > 0 else input_slew_ps

    for flop in netlist.flops:
        clock = next(pin.name for pin in flop.cell.inputs if pin.is_clock)
        drive(flop, {clock: (0.0, input_slew_ps)})
    launch = (
        float(np.median([arrival[net] for net in netlist.state_nets])) if netlist.flops else 0.0
    )
    for bits in netlist.inputs.values():
        arrival[bits] = launch
    for gate in netlist.ordered:
        drive(
            gate,
            {
                pin.name: (arrival[gate.nets[pin.name]], slew[gate.nets[pin.name]])
                for pin in gate.cell.inputs
            },
        )
    arrival[:2] = 0.0
    return Delays(load_ff, slew, arrival, arcs)
