"""Whether a configuration can fit an FPGA: lower bounds before synthesis, exact counts after it."""

from __future__ import annotations

from collections.abc import Mapping

from weft_hw.boards.table import Board
from weft_hw.config import ChipConfig

__all__ = ["CAPACITY", "check_cells", "check_fit"]

#: What the FPGAs have. Source: Lattice ECP5 and ECP5-5G family data sheet, FPGA-DS-02012, table
#: 1.1.
CAPACITY = {
    "25k": {"TRELLIS_FF": 24_288, "LUT4": 24_288, "DP16KD": 56, "MULT18X18D": 28},
    "45k": {"TRELLIS_FF": 43_848, "LUT4": 43_848, "DP16KD": 108, "MULT18X18D": 72},
    "85k": {"TRELLIS_FF": 83_640, "LUT4": 83_640, "DP16KD": 208, "MULT18X18D": 156},
}
#: Bytes of a block RAM without its parity bits, which byte-wide writes leave unused.
BLOCK_RAM_BYTES = 2048


def check_fit(config: ChipConfig, board: Board, memory_kib: int) -> None:
    """Refuses at once what cannot fit: one multiplier for each processing element, and all memories
    in block RAM.

    Raises
    ------
    ValueError
        with the quantity, what is needed at least, and what there is.
    """
    tile, tiles = config.tile, config.mesh.tiles
    kib = tiles * (tile.scratchpad_kib + tile.accumulator_kib) + memory_kib
    needed = {
        "MULT18X18D": tiles * tile.array_rows * tile.array_cols,
        "DP16KD": -(-kib * 1024 // BLOCK_RAM_BYTES),
    }
    check_cells(needed, config, board, bound="at least ")


def check_cells(
    cells: Mapping[str, int], config: ChipConfig, board: Board, *, bound: str = ""
) -> None:
    """Refuses cell counts that the board's FPGA does not have; see ``check_fit``."""
    for name, have in CAPACITY[board.fpga].items():
        if cells.get(name, 0) > have:
            raise ValueError(
                f"{config.name} needs {bound}{cells[name]} {name}, and the {board.fpga} of "
                f"{board.name} has {have}; take a smaller preset (nano, ecp5) or less --memory-kib"
            )
