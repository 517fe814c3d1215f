"""Moves the registers behind multipliers into their DSP blocks; ``synth_ecp5`` leaves them outside.

Works on the netlist that Yosys writes as JSON. A product's registers go in if nothing but they
reads it, with one clock, no enable and no reset: neighbouring blocks share their enables, so one
that has its own could not be placed beside another. What the netlist computes does not change, in
any cycle.

Source: Lattice ECP5 and ECP5-5G family data sheet, FPGA-DS-02012, sysDSP slice; names of
parameters and pins: MULT18X18D in prjtrellis' and nextpnr's databases.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

__all__ = ["pack_dsp_registers"]

_MULTIPLIER = "MULT18X18D"
_REGISTER = "TRELLIS_FF"
_PRODUCT_BITS = 36

Cells = dict[str, dict[str, Any]]


def pack_dsp_registers(netlist: dict[str, Any], top: str) -> int:
    """Changes ``netlist`` in place; returns how many multipliers have got their registers."""
    module = netlist["modules"][top]
    cells: Cells = module["cells"]
    readers = _readers(module)
    always: dict[str, int] = {}
    packed = 0
    for cell in [cell for cell in cells.values() if cell["type"] == _MULTIPLIER]:
        wires = cell["connections"]
        product = [wires[f"P{n}"] for n in range(_PRODUCT_BITS) if f"P{n}" in wires]
        behind = _registers(cells, readers, product)
        clocks = {cells[name]["connections"]["CLK"][0] for name in behind.values()}
        if len(clocks) != 1:
            continue
        if not always:
            always = _constants(module)
        # tied pins of a block would float
        control = {"CLK0": clocks.pop(), "CE0": always["1"], "RST0": always["0"]}
        for port, net in control.items():
            cell["port_directions"][port] = "input"
            wires[port] = [net]
        cell["parameters"] |= {f"REG_OUTPUT_{port[:-1]}": port for port in control}
        for bit in product:
            if bit[0] in behind:
                bit[:] = cells.pop(behind[bit[0]])["connections"]["Q"]
        packed += 1
    return packed


def _readers(module: dict[str, Any]) -> dict[int, list[tuple[str, str]]]:
    """Net -> (cell, port) of all that read it; the module's own outputs have no cell."""
    readers = defaultdict(list)
    for name, port in module["ports"].items():
        for bit in port["bits"]:
            if port["direction"] != "input":
                readers[bit].append(("", name))
    for name, cell in module["cells"].items():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input":
                for bit in bits:
                    if isinstance(bit, int):
                        readers[bit].append((name, port))
    return readers


def _registers(
    cells: Cells, readers: dict[int, list[tuple[str, str]]], product: list[list[int]]
) -> dict[int, str]:
    """Product bit -> the register that takes it; empty if anything else does."""
    registers = {}
    for (bit,) in product:
        for name, port in readers.get(bit, ()):
            if bit in registers or port != "DI" or not _plain(cells[name]):
                return {}
            registers[bit] = name
    return registers


def _plain(cell: dict[str, Any]) -> bool:
    """Whether a cell is a register that takes its input on every rising edge."""
    wires, parameters = cell["connections"], cell["parameters"]
    return (
        cell["type"] == _REGISTER
        and parameters.get("CLKMUX", "CLK") == "CLK"
        and parameters.get("CEMUX", "1").strip() == "1"
        and parameters.get("REGSET", "RESET") == "RESET"
        and wires.get("LSR", ["0"]) == ["0"]
        and "M" not in wires
    )


def _constants(module: dict[str, Any]) -> dict[str, int]:
    """Nets that are always "0" and "1", from lookup tables of their own."""
    cells: Cells = module["cells"]
    bits = (
        bit for cell in cells.values() for wires in cell["connections"].values() for bit in wires
    )
    free = 1 + max(bit for bit in bits if isinstance(bit, int))
    nets = {}
    for net, value in enumerate("01", free):
        name = f"$dsp_always_{value}"
        module["netnames"][f"{name}_net"] = {"hide_name": 1, "bits": [net], "attributes": {}}
        cells[name] = {
            "hide_name": 1,
            "type": "LUT4",
            "parameters": {"INIT": value * 16},
            "attributes": {},
            "port_directions": {**dict.fromkeys("ABCD", "input"), "Z": "output"},
            "connections": {**{pin: ["0"] for pin in "ABCD"}, "Z": [net]},
        }
        nets[value] = net
    return nets
