"""Random command programs, and one way to run them on any target.

A program is bit-exact on every correct device, because its engines are joined by semaphores, and it
cannot deadlock, because every wait is met by signals of commands earlier in the ring.
"""

import numpy as np
from weft_hw.config import ChipConfig

from .kernels import kernel_program
from .layers import layer_program
from .products import product_program
from .program import DATA_BYTES, MEMORY_BYTES, Outcome, Program, run_program
from .tile import tile_program

__all__ = [
    "DATA_BYTES",
    "MEMORY_BYTES",
    "Outcome",
    "Program",
    "kernel_program",
    "layer_program",
    "product_program",
    "random_program",
    "run_program",
    "tile_program",
]


def random_program(config: ChipConfig, rng: np.random.Generator, rounds: int = 3) -> Program:
    """A program for a chip, ``rounds`` rounds a tile: of all commands and formats that the chip
    has, or, where it has int8 alone, every second one of int8 layers. On a chip of one tile with
    bf16 every fourth one is a batch of kernels.
    """
    if config.mesh.tiles == 1 and "bf16" in config.tile.formats and rng.random() < 0.25:
        return kernel_program(config, rng)
    if config.tile.formats != ("int8",) or rng.random() < 0.5:
        return tile_program(config, rng, rounds)
    return layer_program(config, rng, rounds, aligned=bool(rng.integers(0, 2)))
