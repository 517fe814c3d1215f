"""Moves narrow operands of multipliers to the upper end of their DSP blocks' inputs.

``synth_ecp5`` extends an operand of 8 bits by ten copies of its sign: eighteen wires to a place
where wires are scarce. At the upper end the bits below are constant, which takes none, and the
product is as far up at the output: what the netlist computes does not change. In an 8x8 array it
saves the router 1,280 pins.

Source: Lattice ECP5 and ECP5-5G family data sheet, FPGA-DS-02012, sysDSP slice; names of parameters
and pins: MULT18X18D in prjtrellis' and nextpnr's databases.
"""

from __future__ import annotations

from typing import Any

__all__ = ["align_operands"]

_MULTIPLIER = "MULT18X18D"
_OPERAND_BITS = 18
_PRODUCT_BITS = 36

Wires = dict[str, list[int | str]]


def align_operands(netlist: dict[str, Any], top: str) -> int:
    """Changes ``netlist`` in place; returns how many multipliers have got their operands moved.

    A multiplier stays as it is if anything reads product bits above its operands' own.
    """
    module = netlist["modules"][top]
    read = {bit for port in module["ports"].values() for bit in port["bits"]}
    for cell in module["cells"].values():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input":
                read.update(bits)
    return sum(
        _align(cell, read) for cell in module["cells"].values() if cell["type"] == _MULTIPLIER
    )


def _align(cell: dict[str, Any], read: set[int | str]) -> bool:
    wires: Wires = cell["connections"]
    operands = {side: [wires[f"{side}{n}"][0] for n in range(_OPERAND_BITS)] for side in "AB"}
    shifts = {
        side: _copies_of_sign(bits) if wires[f"SIGNED{side}"] == ["1"] else 0
        for side, bits in operands.items()
    }
    shift = sum(shifts.values())
    product = {n: wires[f"P{n}"] for n in range(_PRODUCT_BITS) if f"P{n}" in wires}
    if not shift or any(n >= _PRODUCT_BITS - shift and product[n][0] in read for n in product):
        return False
    for side, bits in operands.items():
        for n, bit in enumerate(["0"] * shifts[side] + bits[: _OPERAND_BITS - shifts[side]]):
            wires[f"{side}{n}"] = [bit]
    for n in product:
        del wires[f"P{n}"], cell["port_directions"][f"P{n}"]
    for n, net in product.items():
        if n < _PRODUCT_BITS - shift:
            wires[f"P{n + shift}"] = net
            cell["port_directions"][f"P{n + shift}"] = "output"
    return True


def _copies_of_sign(bits: list[int | str]) -> int:
    """How many bits at the upper end only repeat the one below."""
    own = _OPERAND_BITS
    while own > 1 and bits[own - 2] == bits[-1]:
        own -= 1
    return _OPERAND_BITS - own
