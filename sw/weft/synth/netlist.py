"""A mapped, flat netlist as instances and numbered nets, read from Yosys' JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from .cells import Cell
from .errors import FlowError
from .library import CellLibrary

__all__ = ["Instance", "Netlist", "read_netlist"]

#: Net numbers of the constants.
ZERO, ONE = 0, 1


@dataclass(frozen=True, slots=True)
class Instance:
    """A cell and the net of each of its pins. Unconnected outputs are absent."""

    name: str
    cell: Cell
    nets: dict[str, int]


@dataclass(slots=True)
class Netlist:
    """Nets 0 and 1 are constants. ``ordered`` are the combinational instances, each after those
    that drive it."""

    top: str
    net_count: int
    inputs: dict[str, list[int]]
    outputs: dict[str, list[int]]
    flops: list[Instance]
    ordered: list[Instance]
    sinks: dict[int, list[tuple[Instance, str]]] = field(default_factory=dict)

    @property
    def instances(self) -> list[Instance]:
        return [*self.flops, *self.ordered]

    @property
    def state_nets(self) -> list[int]:
        """Nets driven by flip-flops, in order of instances and pins."""
        return [
            instance.nets[pin.name]
            for instance in self.flops
            for pin in instance.cell.outputs
            if pin.name in instance.nets
        ]


def read_netlist(path: Path, top: str, library: CellLibrary) -> Netlist:
    """Reads what ``write_json`` wrote.

    Raises
    ------
    FlowError
        if a cell has no function (so no power can be simulated) or combinational logic has a loop.
    """
    module = json.loads(path.read_text())["modules"][top]
    numbers: dict[int | str, int] = {"0": ZERO, "1": ONE, "x": ZERO, "z": ZERO}

    next_number = 2

    def number(bit: int | str) -> int:
        nonlocal next_number
        if bit not in numbers:
            numbers[bit] = next_number
            next_number += 1
        return numbers[bit]

    ports: dict[str, dict[str, list[int]]] = {"input": {}, "output": {}}
    for name, port in module["ports"].items():
        ports[port["direction"]][name] = [number(bit) for bit in port["bits"]]
    flops, gates = [], []
    for name, entry in module["cells"].items():
        cell = library.cell(entry["type"])
        nets = {pin: number(bits[0]) for pin, bits in entry["connections"].items() if bits}
        instance = Instance(name, cell, nets)
        if cell.flip_flop is not None:
            flops.append(instance)
        elif cell.has_latch or any(pin.function is None for pin in cell.outputs):
            raise FlowError(f"cell {cell.name} in {top} has no function that can be simulated")
        else:
            gates.append(instance)
    netlist = Netlist(top, next_number, ports["input"], ports["output"], flops, [])
    netlist.ordered = _ordered(netlist, gates, top)
    for instance in netlist.instances:
        for pin in instance.cell.inputs:
            if pin.name in instance.nets:
                netlist.sinks.setdefault(instance.nets[pin.name], []).append((instance, pin.name))
    return netlist


def _ordered(netlist: Netlist, gates: list[Instance], top: str) -> list[Instance]:
    known = {ZERO, ONE, *netlist.state_nets}
    for bits in netlist.inputs.values():
        known.update(bits)
    users: dict[int, list[int]] = {}
    waiting = []
    for index, gate in enumerate(gates):
        needs = {gate.nets[pin.name] for pin in gate.cell.inputs} - known
        waiting.append(len(needs))
        for need in needs:
            users.setdefault(need, []).append(index)
    ready = [index for index, count in enumerate(waiting) if not count]
    ordered = []
    while ready:
        index = ready.pop()
        gate = gates[index]
        ordered.append(gate)
        for pin in gate.cell.outputs:
            for user in users.get(gate.nets.get(pin.name, -1), ()):
                waiting[user] -= 1
                if not waiting[user]:
                    ready.append(user)
    if len(ordered) < len(gates):
        raise FlowError(f"{top} has a combinational loop through {len(gates) - len(ordered)} cells")
    return ordered
