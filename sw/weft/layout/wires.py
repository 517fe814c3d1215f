"""Wires of a layout against the estimate made before it.

Two measures of a net's capacitance: **LEF**, its routed length on each layer times the layer's
capacitance (area and two edges); **extracted**, what magic finds with the shapes around it,
coupling between neighbours included. The estimate knows only how many pins a net drives
(``estimates``).
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from weft.synth.estimates import CORNERS, wire_ff_per_sink
from weft.synth.netlist import Netlist

from .def_file import Route
from .design import Design
from .lef import Lef

__all__ = ["NetWire", "WireReport", "lef_capacitance_ff", "wire_report"]

#: Percentiles of the distribution that is reported.
_PERCENTILES = (5, 25, 50, 75, 95)


@dataclass(frozen=True, slots=True)
class NetWire:
    """A routed net. Capacitances in fF, pins not counted."""

    net: str
    sinks: int
    length_um: float
    vias: int
    lef_ff: float
    extracted_ff: float
    estimate_ff: float

    @property
    def ratio(self) -> float:
        """Extracted over estimated."""
        return self.extracted_ff / self.estimate_ff


@dataclass(frozen=True, slots=True)
class WireReport:
    """All nets but the clock, which the estimate treats apart, and the clock's."""

    nets: tuple[NetWire, ...]
    clock: NetWire | None
    length_by_layer_um: dict[str, float]
    cell_pitch_um: float
    """Square root of the mean cell's share of the core."""

    @property
    def length_um(self) -> float:
        return sum(net.length_um for net in self.nets)

    @property
    def ratio(self) -> float:
        """Extracted over estimated, sums over all nets."""
        return sum(n.extracted_ff for n in self.nets) / sum(n.estimate_ff for n in self.nets)

    @property
    def lef_ratio(self) -> float:
        """LEF over estimated, sums over all nets."""
        return sum(n.lef_ff for n in self.nets) / sum(n.estimate_ff for n in self.nets)

    @property
    def ff_per_um(self) -> float:
        """Extracted capacitance per length; the estimate has ``capacitance_ff_per_um``."""
        return sum(n.extracted_ff for n in self.nets) / self.length_um

    @property
    def pitches_per_sink(self) -> float:
        """Length per driven pin in cell pitches; the estimate has ``pitches_per_sink``."""
        return self.length_um / sum(n.sinks for n in self.nets) / self.cell_pitch_um

    @property
    def clock_pitches_per_sink(self) -> float | None:
        """The same of the clock's net; the estimate has ``clock_pitches_per_sink``. None without
        clock."""
        clock = self.clock
        return clock.length_um / clock.sinks / self.cell_pitch_um if clock else None

    def percentiles(self) -> dict[str, float]:
        """Of the nets' ratios."""
        cuts = statistics.quantiles([net.ratio for net in self.nets], n=100, method="inclusive")
        return {f"p{percent}": cuts[percent - 1] for percent in _PERCENTILES}


def lef_capacitance_ff(route: Route, lef: Lef) -> float:
    """Of the wires alone, without what stands around them."""
    return sum(s.length_um * lef.layers[s.layer].wire_ff_per_um for s in route.segments)


def wire_report(
    design: Design, netlist: Netlist, lef: Lef, routes: dict[str, Route],
    extracted_ff: dict[str, float], core_area_um2: float,
) -> WireReport:  # fmt: skip
    """Measures every net that drives a cell's pin; a port pin is no sink to the estimate."""
    per_sink = wire_ff_per_sink(netlist, CORNERS["value"])
    outputs = {
        (instance.name, pin.name) for instance in netlist.instances for pin in instance.cell.outputs
    }
    wires, clock = [], None
    by_layer = dict.fromkeys(lef.layers, 0.0)
    for net, pins in design.nets.items():
        route = routes[net]
        for segment in route.segments:
            by_layer[segment.layer] += segment.length_um
        sinks = sum(pin not in outputs for pin in pins)
        if not sinks:
            continue
        wire = NetWire(
            net, sinks, route.length_um, len(route.vias), lef_capacitance_ff(route, lef),
            extracted_ff[net], per_sink * sinks,
        )  # fmt: skip
        if net == "clk":
            clock = wire
        else:
            wires.append(wire)
    pitch = (core_area_um2 / len(design.parts)) ** 0.5
    return WireReport(tuple(wires), clock, by_layer, pitch)
