"""Takes large memories out of a design before mapping, as a chip has them in macros: their ports
become ports of the top module. What was taken out is kept as Verilog, for simulations that put it
back beside the mapped gates.

Runs inside the process that runs Yosys (``mapping``).
"""

from __future__ import annotations

from typing import Any

__all__ = ["cut_memories"]

_INPUTS = ("RD_ADDR", "RD_EN", "WR_DATA", "WR_ADDR", "WR_EN")
_CLOCKS = ("RD_CLK", "WR_CLK")
_RESETS = ("RD_ARST", "RD_SRST")


def cut_memories(design: Any, at_least_bits: int, verilog: str) -> int:
    """Removes every memory of at least that many bits from the top module of a flat Yosys design
    whose memories are collected (``memory -nomap``), tables that are never written excepted: those
    are logic. Returns the bits removed.

    Memory number n leaves inputs ``memory_n_rd_data`` and outputs ``memory_n_rd_addr`` and so on;
    module ``memory_n`` of the file ``verilog`` has ports ``rd_data``, ``rd_addr`` and so on, and
    ``clk``.

    Raises
    ------
    RuntimeError
        for a memory with a reset of its outputs.
    """
    from pyosys import libyosys as ys

    top = design.top_module()
    removed, number = 0, 0
    for cell in list(top.cells_.values()):
        if str(cell.type) != "$mem_v2" or not cell.getParam(_name("WR_PORTS")).as_int():
            continue
        bits = cell.getParam(_name("SIZE")).as_int() * cell.getParam(_name("WIDTH")).as_int()
        if bits < at_least_bits:
            continue
        _keep(design, cell, f"memory_{number}")
        for port in ("RD_DATA", *_INPUTS):
            signal = cell.getPort(_name(port))
            if not signal.size():
                continue
            wire = top.addWire(_name(f"memory_{number}_{port.lower()}"), signal.size())
            if port == "RD_DATA":
                wire.port_input = True
                top.connect(signal, ys.SigSpec(wire))
            else:
                wire.port_output = True
                top.connect(ys.SigSpec(wire), signal)
        top.remove(cell)
        removed, number = removed + bits, number + 1
    top.fixup_ports()
    names = " ".join(f"memory_{n}" for n in range(number))
    if number:
        for command in (f"select {names}", f"write_verilog -noattr -selected {verilog}",
                        "select -clear", f"delete {names}"):  # fmt: skip
            ys.run_pass(command, design)
    return removed


def _name(text: str) -> Any:
    from pyosys import libyosys as ys

    return ys.IdString("\\" + text)


def _keep(design: Any, cell: Any, name: str) -> None:
    """A module of that name with the memory and nothing else."""
    from pyosys import libyosys as ys

    module = design.addModule(_name(name))
    copy = module.addCell(_name("rows"), cell)

    def wire(port: str, size: int) -> Any:
        found = module.addWire(_name(port), size)
        found.port_output = port == "rd_data"
        found.port_input = not found.port_output
        return found

    clock = ys.SigSpec(wire("clk", 1))
    for port in _CLOCKS:
        copy.setPort(_name(port), clock.repeat(cell.getPort(_name(port)).size()))
    for port in _RESETS:
        if not cell.getPort(_name(port)).is_fully_const():
            raise RuntimeError(f"memory {cell.name} has a reset ({port}), which no macro has")
    for port in ("RD_DATA", *_INPUTS):
        size = cell.getPort(_name(port)).size()
        copy.setPort(_name(port), ys.SigSpec(wire(port.lower(), size)))
    module.fixup_ports()
