"""Verilog of a mapped netlist for simulation: a model of each cell used, made from its Liberty
functions, and the netlist with its
flip-flops' outputs brought out."""

from __future__ import annotations

from .cells import Cell
from .expression import to_verilog
from .netlist import Netlist

__all__ = ["cell_model", "gate_level_verilog"]


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
