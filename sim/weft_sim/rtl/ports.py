"""The top-level ports of generated Verilog: names, directions, widths."""

import re
from dataclasses import dataclass

__all__ = ["Port", "top_ports"]

_PORT = re.compile(r"^  (input|output) (?:\[(\d+):0\] )?\\?([^\s;]+) ?;$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Port:
    """One pin of the top module."""

    name: str
    direction: str
    """``input`` or ``output``."""
    width_bits: int


def top_ports(verilog: str, top: str) -> dict[str, Port]:
    """Ports of module ``top`` in ``verilog`` (text as Yosys writes it), by name.

    Raises
    ------
    ValueError
        if there is no such module.
    """
    start = re.search(rf"^module {re.escape(top)}\(", verilog, re.MULTILINE)
    if start is None:
        raise ValueError(f"the Verilog must contain the module {top}, and does not")
    body = verilog[start.start() : verilog.index("\nendmodule", start.start())]
    return {
        name: Port(name, direction, int(high or 0) + 1)
        for direction, high, name in _PORT.findall(body)
    }
