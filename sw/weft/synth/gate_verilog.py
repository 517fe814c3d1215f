"""Verilog of a mapped netlist for simulation: a model of each cell used, made from its Liberty
functions, and the netlist with its
flip-flops' outputs brought out."""

from __future__ import annotations

import re

from .cells import Cell
from .expression import to_verilog
from .netlist import Netlist

__all__ = [
    "cell_model",
    "gate_level_verilog",
    "is_memory_port",
    "memory_reads",
    "with_memories",
]

_MEMORY = re.compile(r"(memory_\d+)_(\w+)")


def cell_model(cell: Cell) -> str:
    """A Verilog module of the cell's function, without delays.

    Raises
    ------
    ValueError
        if an output has no function.
    """
    ports = [
        f"{'input' if pin.direction == 'input' else 'output'} {pin.name}"
        for pin in cell.pins.values()
        if pin.direction in ("input", "output")
    ]
    lines = [f"module {cell.name}({', '.join(ports)});"]
    flop = cell.flip_flop
    if flop is not None:
        state = flop.variables[0]
        lines.append(f"  reg {state} = 0;")
        if len(flop.variables) > 1:
            lines.append(f"  wire {flop.variables[1]} = ~{state};")
        lines.append(f"  wire weft_clock = {to_verilog(flop.clocked_on)};")
        events, branches = ["posedge weft_clock"], []
        for name, tree, value in (("clear", flop.clear, 0), ("preset", flop.preset, 1)):
            if tree is not None:
                lines.append(f"  wire weft_{name} = {to_verilog(tree)};")
                events.append(f"posedge weft_{name}")
                branches.append(f"if (weft_{name}) {state} <= {value}; else")
        lines.append(f"  always @({' or '.join(events)})")
        lines.append(f"    {' '.join(branches)} {state} <= {to_verilog(flop.next_state)};")
    for pin in cell.outputs:
        if pin.function is None:
            raise ValueError(f"cell {cell.name}: output {pin.name} has no function")
        lines.append(f"  assign {pin.name} = {to_verilog(pin.function)};")
    return "\n".join([*lines, "endmodule", ""])


def gate_level_verilog(netlist: Netlist, clock: str = "clk") -> tuple[str, int]:
    """The netlist as Verilog with an extra output ``weft_state``: bit i is net
    ``netlist.state_nets[i]``. Returns the text and
    the number of bits of ``weft_state``."""
    cells = {instance.cell.name: instance.cell for instance in netlist.instances}
    parts = [cell_model(cell) for _, cell in sorted(cells.items())]
    ports = [
        f"{direction} [{len(bits) - 1}:0] {name}"
        for direction, group in (("input", netlist.inputs), ("output", netlist.outputs))
        for name, bits in group.items()
    ]
    state = netlist.state_nets
    ports.append(f"output [{len(state) - 1}:0] weft_state")
    lines = [f"module {netlist.top}({', '.join(ports)});"]
    # a wire each: one wide vector would look like a loop through itself
    lines += [f"  wire n{net};" for net in range(2, netlist.net_count)]
    names = {0: "1'b0", 1: "1'b1"}
    for name, bits in netlist.inputs.items():
        lines += [f"  assign n{net} = {name}[{i}];" for i, net in enumerate(bits)]
    for name, bits in netlist.outputs.items():
        lines += [
            f"  assign {name}[{i}] = {names.get(net, f'n{net}')};" for i, net in enumerate(bits)
        ]
    lines += [f"  assign weft_state[{i}] = n{net};" for i, net in enumerate(state)]
    for number, instance in enumerate(netlist.instances):
        wires = ", ".join(
            f".{pin}({names.get(net, f'n{net}')})" for pin, net in instance.nets.items()
        )
        lines.append(f"  {instance.cell.name} u{number}({wires});")
    return "\n".join([*parts, *lines, "endmodule", ""]), len(state)


def is_memory_port(name: str) -> bool:
    """Whether a port of a netlist leads to a memory that was left out of it (``memory_cut``)."""
    return _MEMORY.fullmatch(name) is not None


def memory_reads(netlist: Netlist) -> list[str]:
    """Inputs that come from memories, in order."""
    return [name for name in netlist.inputs if is_memory_port(name)]


def with_memories(netlist: Netlist, state_bits: int) -> tuple[str, int]:
    """A module ``weft_whole`` of the netlist's module and the memories left out of it, whose ports
    are those of the block, ``weft_state`` and ``weft_memory``: what the memories read, the ports
    of ``memory_reads`` side by side. Returns the text and the bits of ``weft_memory``."""
    reads = memory_reads(netlist)
    widths = {name: len(bits) for name, bits in (netlist.inputs | netlist.outputs).items()}
    inner = sorted(filter(is_memory_port, widths))
    ports = [
        f"{direction} [{widths[name] - 1}:0] {name}"
        for direction, group in (("input", netlist.inputs), ("output", netlist.outputs))
        for name in group
        if name not in inner
    ]
    memory_bits = sum(widths[name] for name in reads)
    ports += [
        f"output [{state_bits - 1}:0] weft_state",
        f"output [{memory_bits - 1}:0] weft_memory",
    ]
    lines = [f"module weft_whole({', '.join(ports)});"]
    lines += [f"  wire [{widths[name] - 1}:0] {name};" for name in inner]
    lines.append(f"  assign weft_memory = {{{', '.join(reversed(reads))}}};")
    names = ", ".join(f".{name}({name})" for name in (*widths, "weft_state"))
    lines.append(f"  {netlist.top} gates({names});")
    pins: dict[str, list[str]] = {}
    for name in inner:
        match = _MEMORY.fullmatch(name)
        assert match is not None
        pins.setdefault(match.group(1), []).append(f".{match.group(2)}({name})")
    for memory, own in pins.items():
        lines.append(f"  {memory} rows_of_{memory}(.clk(clk), {', '.join(own)});")
    return "\n".join([*lines, "endmodule", ""]), memory_bits
