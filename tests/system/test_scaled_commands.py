"""Products with block scales close behind each other: every event of the model is the RTL's.

Rows of scales give way to activations and weights, those of commands handed over later too, and
both readers of scales share a port; operands lie anywhere in a few banks, so that all of them meet.
"""

from typing import Any

import numpy as np
import pytest
from weft.bench.programs import MEMORY_BYTES, Program, run_program
from weft.targets import open_target
from weft_hw.config import ChipConfig
from weft_hw.formats.table import Format
from weft_hw.isa import Opcode
from weft_hw.presets import preset
from weft_sim.dram import Dram


def _program(config: ChipConfig, seed: int) -> Program:
    """A few products of FP8, most of them with block scales, all handed over at once."""
    program, rng = Program(config, "products with scales"), np.random.default_rng(seed)
    program.memory[:] = rng.integers(0, 60, program.memory.size, np.uint8)
    tile = config.tile
    rows = int(rng.choice([40, 400, tile.scratchpad_rows - 400]))
    for _ in range(int(rng.integers(3, 7))):
        m, k, n = (int(rng.integers(1, most)) for most in (50, 70, 26))
        n_blocks = -(-n // tile.array_cols)
        scaled: dict[str, Any] = {}
        if rng.random() < 0.7:
            scaled = {
                "scaled": 1,
                "a_scale_row": int(rng.integers(0, rows)),
                "w_scale_row": int(rng.integers(0, 2 * rows)),
                "a_scale_stride": -(-m // tile.row_bytes),
                "w_scale_stride": n_blocks,
            }
        program.add(
            Opcode.MATMUL,
            m=m,
            k=k,
            n=n,
            a_row=int(rng.integers(0, 2 * rows)),
            w_row=int(rng.integers(0, 2 * rows)),
            acc_row=int(rng.integers(0, 60)),
            a_stride=-(-k // tile.array_rows),
            w_stride=n_blocks,
            acc_stride=m,
            accumulate=int(rng.integers(0, 2)),
            format=Format.FP8E4M3,
            **scaled,
        )
    return program


@pytest.mark.rtl
@pytest.mark.parametrize("seed", range(12))
def test_every_event(seed: int) -> None:
    config = preset("micro")
    program = _program(config, seed)
    traces = []
    for name in ("model", "rtl"):
        target = open_target(name, config, Dram(size_bytes=MEMORY_BYTES, latency_cycles=20))[0]
        outcome = run_program(target, program)
        target.close()
        assert outcome.finished
        traces.append(sorted(tuple(event) for event in outcome.trace.tolist()))
    assert traces[0] == traces[1]
