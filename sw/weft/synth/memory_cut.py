"""Takes large memories out of a design before mapping, as a chip has them in macros: their ports
become ports of the top module.

Runs inside the process that runs Yosys (``mapping``).
"""

from __future__ import annotations

from typing import Any

__all__ = ["cut_memories"]

_INPUTS = ("RD_ADDR", "RD_EN", "WR_DATA", "WR_ADDR", "WR_EN")


def cut_memories(design: Any, at_least_bits: int) -> int:
    """Removes every memory of at least that many bits from the top module of a flat Yosys design
    whose memories are collected (``memory -nomap``). Returns the bits removed.

    Memory number n leaves inputs ``memory_n_rd_data`` and outputs ``memory_n_rd_addr`` and so on.
    """
    from pyosys import libyosys as ys

    def name(text: str) -> Any:
        return ys.IdString("\\" + text)

    top = design.top_module()
    removed, number = 0, 0
    for cell in list(top.cells_.values()):
        if str(cell.type) != "$mem_v2":
            continue
        bits = cell.getParam(name("SIZE")).as_int() * cell.getParam(name("WIDTH")).as_int()
        if bits < at_least_bits:
            continue
        for port in ("RD_DATA", *_INPUTS):
            signal = cell.getPort(name(port))
            if not signal.size():
                continue
            wire = top.addWire(name(f"memory_{number}_{port.lower()}"), signal.size())
            if port == "RD_DATA":
                wire.port_input = True
                top.connect(signal, ys.SigSpec(wire))
            else:
                wire.port_output = True
                top.connect(ys.SigSpec(wire), signal)
        top.remove(cell)
        removed, number = removed + bits, number + 1
    top.fixup_ports()
    return removed
