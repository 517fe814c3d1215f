"""The fleet model's table of planned products, made again: `python -m weft.bench.fleet_plans`.

Plans int8 products with requantised results on the preset `fleet`, about a second each; nothing is
simulated. The cycles are the compiler's own estimate, which `weft gemm --preset fleet` prints
beside the cycle model's.
"""

import csv
import sys
from importlib import resources
from itertools import product
from pathlib import Path

from weft_hw.array.matmul import window_cycles
from weft_hw.config import ChipConfig
from weft_hw.formats.table import Format
from weft_hw.isa import Opcode
from weft_hw.presets import preset
from weft_sim.dram import Dram

from ..commands import unpack
from ..compiler.plan import plan_gemm
from ..compiler.task import GemmTask
from ..fleet.operators.weft_plans import TABLE

__all__ = ["M_SIZES", "WEIGHT_SIZES", "fill_cycles", "planned"]

M_SIZES = (1, 16, 64, 256, 1024, 4096, 16384)
WEIGHT_SIZES = (1024, 4096, 16384)
COLUMNS = (
    "m,k,n,cycles,memory_bytes,tiles,array_rows,array_cols,scratchpad_bytes,port_bytes_per_cycle,"
    "fill_cycles,confidence"
).split(",")
LATENCY = 100
PRESET = "fleet"


def fill_cycles(config: ChipConfig) -> int:
    """From the last row into an array to its last accumulator write, as the matmul engine says."""
    return int(window_cycles(config.tile, m=1, k=1, n=1)) - config.tile.array_rows - 1


def planned(config: ChipConfig, m: int, k: int, n: int) -> tuple[int, int]:
    """Cycles, and bytes read and written at memory, of the plan for `(m, k) x (k, n)`."""
    scale = m * k + k * n
    task = GemmTask(
        m=m, k=k, n=n, format=Format.INT8, out_format=Format.INT8, a_address=0, b_address=m * k,
        scale_address=scale, out_address=scale + 4 * n,
    )  # fmt: skip
    plan = plan_gemm(config, task, Dram(size_bytes=1 << 32, latency_cycles=LATENCY))
    moved = 0
    for raw in plan.commands:
        command = unpack(raw)
        if command.opcode is Opcode.LOAD or (
            command.opcode is Opcode.STORE and not command.fields["to_tiles"]
        ):
            moved += command.fields["rows"] * command.fields["row_bytes"]
    return plan.modelled_cycles, moved


def main() -> None:
    config = preset(PRESET)
    tile, mesh = config.tile, config.mesh
    path = Path(str(resources.files("weft.fleet"))) / "data" / "tables" / f"{TABLE}.csv"
    rows = []
    shapes = list(product(M_SIZES, WEIGHT_SIZES, WEIGHT_SIZES))
    for number, (m, k, n) in enumerate(shapes, 1):
        cycles, moved = planned(config, m, k, n)
        rows.append(
            (
                m, k, n, cycles, moved, mesh.tiles, tile.array_rows, tile.array_cols,
                tile.scratchpad_kib * 1024, mesh.memory_endpoints * config.flit_bytes,
                fill_cycles(config), "derived",
            )
        )  # fmt: skip
        print(f"{number} of {len(shapes)}: {m} x {k} x {n}, {cycles:,} cycles", file=sys.stderr)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)


if __name__ == "__main__":
    main()
