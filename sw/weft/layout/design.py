"""What is laid out: instances, nets and ports with names that every tool of the flow accepts."""

from __future__ import annotations

from dataclasses import dataclass

from weft.synth.errors import FlowError
from weft.synth.netlist import ONE, ZERO, Netlist

from .lef import Lef, Macro

__all__ = ["Design", "Part", "to_design"]

#: Net numbers of the constants have no cell to drive them in a library without tie cells.
_RAILS = {ZERO: "gnd", ONE: "vdd"}


@dataclass(frozen=True, slots=True)
class Part:
    """A placed cell to be: its shape and the net of each signal pin."""

    name: str
    macro: Macro
    nets: dict[str, str]


@dataclass(slots=True)
class Design:
    """``ports`` maps each bit's name, which is its net's, to "input" or "output"; ``nets`` maps
    each net to its (part, pin) pairs, ports not counted."""

    top: str
    parts: list[Part]
    ports: dict[str, str]
    nets: dict[str, list[tuple[str, str]]]

    @property
    def cell_area_um2(self) -> float:
        return sum(part.macro.width_um * part.macro.height_um for part in self.parts)


def to_design(netlist: Netlist, lef: Lef) -> Design:
    """Names nets by their ports (bit 3 of ``sum_o`` is ``sum_o_3``) or by number.

    Raises
    ------
    LibertyError
        if the LEF lacks a cell.
    FlowError
        if two bits would share a name or a net, or a pin is tied to a constant.
    """
    names: dict[int, str] = {}
    ports: dict[str, str] = {}
    for direction, group in (("input", netlist.inputs), ("output", netlist.outputs)):
        for port, bits in group.items():
            for place, bit in enumerate(bits):
                name = port if len(bits) == 1 else f"{port}_{place}"
                if name in ports:
                    raise FlowError(f"two port bits of {netlist.top} would both be named {name}")
                if bit in names or bit in _RAILS:
                    other = names.get(bit) or _RAILS[bit]
                    raise FlowError(
                        f"ports {other} and {name} of {netlist.top} are one net, "
                        "which needs a buffer between them to be laid out"
                    )
                names[bit], ports[name] = name, direction
    nets: dict[str, list[tuple[str, str]]] = {name: [] for name in ports}
    parts = []
    for instance in netlist.instances:
        pins = {}
        for pin, bit in instance.nets.items():
            if bit in _RAILS:
                raise FlowError(
                    f"pin {pin} of {instance.name} in {netlist.top} is tied to "
                    f"{_RAILS[bit]}, and the flow routes no constants"
                )
            net = pins[pin] = names.setdefault(bit, f"n{bit}")
            nets.setdefault(net, []).append((instance.name, pin))
        parts.append(Part(instance.name, lef.macro(instance.cell.name), pins))
    unconnected = {net for net, pins in nets.items() if len(pins) + (net in ports) < 2}
    for net in unconnected:
        del nets[net]
    return Design(netlist.top, parts, ports, nets)
