"""Where multipliers and memories go on the die; nextpnr places the logic around them.

nextpnr's placer moves each multiplier and block RAM to a free place by itself, and they end
anywhere: an array's column over the whole die, and no router gets through. What belongs together
stands in the cells' names::

     row 82, 70   memory of the prototype, a bit of the word beside the other
     row 58       array, rows 0 to 3: a column of the array is one DSP block of four multipliers
     row 46       scratchpad: slices of the word side by side, each with all banks
     row 34       array, rows 4 to 7
     row 22       accumulator, as the scratchpad
     row 10       requantiser: a lane is one DSP block

Sums go down, activations across. What does not fit stays with nextpnr.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["place_blocks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Die:
    """Where an ECP5's blocks are, from the bottom left; DSP blocks and block RAMs stand in groups
    of four at the same columns."""

    columns: tuple[int, ...]
    dsp_rows: tuple[int, ...]
    ram_rows: tuple[int, ...]

    def multiplier(self, group: int, number: int, row: int) -> str:
        offset = (0, 1, 4, 5)[number]
        return f"X{self.columns[group] + offset}/Y{self.dsp_rows[row]}/MULT18_{offset}"

    def ram(self, position: int, row: int) -> str:
        group, number = divmod(position, 4)
        return f"X{self.columns[group] + 2 * number}/Y{self.ram_rows[row]}/EBR{number}"


#: Source: the names of the places in nextpnr-ecp5's database of the LFE5U-85F.
_DIES = {
    "85k": _Die(
        columns=(4, 13, 22, 31, 40, 49, 58, 69, 78, 87, 96, 105, 114),
        dsp_rows=(10, 34, 58),
        ram_rows=(22, 46, 70, 82),
    )
}
_ELEMENT = re.compile(r"\.row_(\d+)\.pe_(\d+)\.")
_LANE = re.compile(r"\.lanes\.lane_(\d+)\.")
_SCRATCHPAD = re.compile(r"\.scratchpad\.bank_(\d+)\.memory\.\d+\.(\d+)$")
_ACCUMULATOR = re.compile(r"\.accumulator\.bank_(\d+)\.memory\.\d+\.(\d+)$")
_MEMORY = re.compile(r"\.ram\.rows\.\d+\.(\d+)$")


def place_blocks(netlist: dict[str, Any], top: str, fpga: str) -> int:
    """Gives the blocks of ``netlist`` their places, in place; returns how many have one.

    None have on an FPGA (``fpga``: nextpnr's name of the size) whose die is not known here.
    """
    die = _DIES.get(fpga)
    if die is None:
        return 0
    cells = netlist["modules"][top]["cells"]
    named: dict[str, list[str]] = defaultdict(list)
    for name, cell in sorted(cells.items()):
        named[cell["type"]].append(name)
    places = _multipliers(die, named["MULT18X18D"]) | _memories(die, named["DP16KD"])
    for name, place in places.items():
        cells[name]["attributes"]["BEL"] = place
    return len(places)


def _multipliers(die: _Die, names: list[str]) -> dict[str, str]:
    elements = {name: _numbers(found) for name in names if (found := _ELEMENT.search(name))}
    lanes: dict[int, list[str]] = defaultdict(list)
    for name in names:
        if found := _LANE.search(name):
            lanes[int(found[1])].append(name)
    array_rows = -(-_count(row for row, _ in elements.values()) // 4)
    groups = max(_count(column for _, column in elements.values()), _count(lanes))
    if groups > len(die.columns) or array_rows >= len(die.dsp_rows):
        return {}
    first = (len(die.columns) - groups) // 2
    places = {
        name: die.multiplier(first + column, row % 4, array_rows - row // 4)
        for name, (row, column) in elements.items()
    }
    for lane, members in lanes.items():
        for number, name in enumerate(members[:4]):
            places[name] = die.multiplier(first + lane, number, 0)
    return places


def _memories(die: _Die, names: list[str]) -> dict[str, str]:
    places: dict[str, str] = {}
    for pattern, rows in ((_ACCUMULATOR, (0,)), (_SCRATCHPAD, (1,)), (_MEMORY, (2, 3))):
        parts = {name: _numbers(found) for name in names if (found := pattern.search(name))}
        # slice by slice of the word, all banks of a slice together
        order = sorted(parts, key=lambda name: parts[name][::-1])
        for number, row in enumerate(rows):
            places |= _side_by_side(die, order[number :: len(rows)], row)
    return places


def _side_by_side(die: _Die, names: list[str], row: int) -> dict[str, str]:
    """Over the middle of a row, evenly, in eight groups or as many as it takes."""
    groups = max(8, -(-len(names) // 4))
    if groups > len(die.columns) - 1:
        return {}
    first = 4 * ((len(die.columns) - groups) // 2)
    return {
        name: die.ram(first + number * 4 * groups // len(names), row)
        for number, name in enumerate(names)
    }


def _numbers(found: re.Match[str]) -> tuple[int, ...]:
    return tuple(int(number) for number in found.groups())


def _count(numbers: Iterable[int]) -> int:
    return 1 + max(numbers, default=-1)
