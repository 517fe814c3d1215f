"""Programs of one product whose tiles load operands for each other: packets to rows and to columns
of tiles that cross each other, and credits for them.
"""

from __future__ import annotations

import numpy as np
from weft_hw.config import ChipConfig
from weft_sim.dram import Dram

from ...device import Device
from ...gemm_operands import random_operands
from ...kernels.matmul import plan_matmul
from .program import DATA_BYTES, Program

__all__ = ["product_program"]

#: So slow (bytes a cycle) that the planner has tiles share what they can.
_RATES = (2, 4, 8)


def product_program(config: ChipConfig, rng: np.random.Generator) -> Program:
    """An int8 product of a random shape whose parts are alike, as planned for a slow memory.

    Raises
    ------
    ValueError
        if the chip has no int8, or one tile.
    """
    if "int8" not in config.tile.formats or config.mesh.tiles == 1:
        raise ValueError(f"{config.name} has no int8 tiles to share operands of")
    lines = config.mesh.rows * config.mesh.cols
    m, n = (8 * lines * int(rng.integers(1, 4)) for _ in range(2))
    k = 8 * int(rng.integers(4, 25))
    rate = int(rng.choice(_RATES))
    dram = Dram(size_bytes=DATA_BYTES, bytes_per_cycle=rate)
    with Device("model", config, dram=dram) as device:
        a, b = random_operands(config, "int8", m, k, n, int(rng.integers(1 << 16)))
        planned = plan_matmul(device, a, b)
        program = Program(config, f"{m}x{k}x{n} int8 planned for {rate} B/cycle")
        program.memory[:] = device.target.memory
        program.commands += [bytes(command) for command in planned.plan.commands]
    return program
