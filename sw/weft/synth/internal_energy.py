"""Energy inside the cells of a netlist by pin and edge: the library's tables read at each pin's own
transition and load, once for any number of stimuli."""

from __future__ import annotations

from dataclasses import dataclass

from .delays import Delays
from .expression import Expression
from .netlist import Instance, Netlist

__all__ = ["CellEnergy", "PassiveArc", "cell_energies"]


@dataclass(frozen=True, slots=True)
class PassiveArc:
    """fJ of a rise and a fall of an input pin alone, while ``when`` holds."""

    when: Expression | None
    rise_fj: float
    fall_fj: float


@dataclass(frozen=True, slots=True)
class CellEnergy:
    """Of one instance. ``outputs``: output pin -> input pin that caused it -> fJ of a rise and a
    fall, means over the conditions. ``inputs``: arcs of each input pin."""

    outputs: dict[str, dict[str, tuple[float, float]]]
    inputs: dict[str, tuple[PassiveArc, ...]]


def cell_energies(netlist: Netlist, delays: Delays) -> dict[str, CellEnergy]:
    """Of every instance, by its name."""
    return {instance.name: _of(instance, delays) for instance in netlist.instances}


def _of(instance: Instance, delays: Delays) -> CellEnergy:
    nets = instance.nets
    outputs = {}
    for pin in instance.cell.outputs:
        if pin.name not in nets:
            continue
        load = float(delays.load_ff[nets[pin.name]])
        by_cause: dict[str, list[tuple[float, float]]] = {}
        for arc in pin.energy:
            if arc.related is None or arc.related not in nets:
                continue
            slew = delays.slew_ps[nets[arc.related]]
            rise, fall = arc.energy
            by_cause.setdefault(arc.related, []).append((rise.at(slew, load), fall.at(slew, load)))
        outputs[pin.name] = {
            cause: (
                sum(arc[0] for arc in arcs) / len(arcs),
                sum(arc[1] for arc in arcs) / len(arcs),
            )
            for cause, arcs in by_cause.items()
        }
    inputs = {}
    for pin in instance.cell.inputs:
        if pin.name not in nets or not pin.energy:
            continue
        slew = delays.slew_ps[nets[pin.name]]
        inputs[pin.name] = tuple(
            PassiveArc(arc.when, arc.energy[0].at(slew, 0.0), arc.energy[1].at(slew, 0.0))
            for arc in pin.energy
        )
    return CellEnergy(outputs, inputs)
