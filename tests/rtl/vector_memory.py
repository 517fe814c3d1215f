"""Local memories around a vector engine, and what its commands must make of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.isa import Opcode, VectorCommand, VectorOutput
from weft_sim.bench import pack
from weft_sim.golden import requantise, vector_int32

__all__ = ["Memories", "command_word", "random_command"]


@dataclass(slots=True)
class Memories:
    """``scratchpad`` (rows, row_bytes) uint8; ``accumulator`` (rows, C) int32: garbage at first."""

    config: ChipConfig
    scratchpad: np.ndarray
    accumulator: np.ndarray

    @classmethod
    def garbage(cls, config: ChipConfig, rng: np.random.Generator) -> "Memories":
        tile = config.tile
        return cls(
            config,
            rng.integers(0, 256, (tile.scratchpad_rows, tile.row_bytes), np.uint8),
            rng.integers(
                -(2**31), 2**31, (tile.accumulator_rows, tile.array_cols), np.int64
            ).astype(np.int32),
        )

    @property
    def beats(self) -> int:
        return self.config.tile.accumulator_row_bytes // self.config.tile.row_bytes

    def store(self, row: int, values: np.ndarray) -> None:
        """Packs ``values`` from scratchpad row ``row`` on; the rest of the last row stays."""
        flat = self.scratchpad.reshape(-1)
        raw = np.ascontiguousarray(values).view(np.uint8).reshape(-1)
        start = row * self.scratchpad.shape[1]
        flat[start : start + len(raw)] = raw

    def vector(self, row: int, count: int, dtype: type[np.generic]) -> np.ndarray:
        """(count,) of 32-bit ``dtype`` packed from scratchpad row ``row`` on."""
        start = row * self.scratchpad.shape[1]
        return self.scratchpad.reshape(-1)[start : start + 4 * count].view(dtype).copy()

    def apply(self, f: dict[str, Any]) -> None:
        """What the command does, in numpy: lanes beyond N become zero."""
        cols = self.config.tile.array_cols
        m, n = f["m"], f["n"]
        blocks = -(-n // cols)
        rows = f["acc_row"] + np.arange(blocks)[:, None] * f["acc_stride"] + np.arange(m)
        acc = self.accumulator[rows].transpose(1, 0, 2).reshape(m, blocks * cols)[:, :n]
        bias = self.vector(f["bias_row"], n, np.int32) if f["use_bias"] else None
        if f["output"] is VectorOutput.INT32:
            values = np.zeros((m, blocks * cols), np.int32)
            values[:, :n] = vector_int32(acc, bias)
            beats = self.beats
        else:
            residual = None
            if f["use_residual"]:
                at = f["residual_row"] + np.arange(m)[:, None] * f["residual_stride"]
                units = self.scratchpad.reshape(-1, cols)
                residual = units[at + np.arange(blocks)].view(np.int8).reshape(m, -1)[:, :n]
            values = np.zeros((m, blocks * cols), np.int8)
            scale = self.vector(f["scale_row"], n, np.float32)
            values[:, :n] = requantise(
                acc,
                scale,
                f["zero_point"],
                f["clamp_min"],
                f["clamp_max"],
                bias,
                residual,
            )
            beats = 1
        # rows for int32, int8 units otherwise
        size = self.scratchpad.shape[1] if beats > 1 else cols
        out = values.view(np.uint8).reshape(m, blocks * beats, size)
        units = self.scratchpad.reshape(-1, size)
        for index in range(m):
            row = f["out_row"] + index * f["out_stride"]
            units[row : row + blocks * beats] = out[index]


def command_word(f: dict[str, Any], index: int, signal: int = 0) -> dict[str, Any]:
    """The command as it comes from the front end."""
    header = {"opcode": Opcode.VECTOR, "signal": signal}
    return {"bits": pack(VectorCommand, {"header": header, **f}), "index": index}


def random_command(memories: Memories, rng: np.random.Generator, **fixed: Any) -> dict[str, Any]:
    """A legal command with sensible data for it: inputs in the lower half of the scratchpad, output
    in the upper half. ``fixed`` overrides sizes and flags.
    """
    cols, pad_rows = memories.config.tile.array_cols, len(memories.scratchpad)
    acc_rows, half = len(memories.accumulator), len(memories.scratchpad) // 2
    low, high = sorted(int(bound) for bound in rng.integers(-128, 128, 2))
    f: dict[str, Any] = {
        "m": int(rng.integers(1, 3 * cols)),
        "n": int(rng.integers(1, 4 * cols)),
        "output": VectorOutput.INT32 if rng.random() < 0.3 else VectorOutput.INT8,
        "use_bias": int(rng.random() < 0.7),
        "use_residual": int(rng.random() < 0.5),
        "zero_point": int(rng.integers(-128, 128)) if rng.random() < 0.5 else 0,
        "clamp_min": low if rng.random() < 0.3 else -128,
        "clamp_max": high if rng.random() < 0.3 else 127,
        **fixed,
    }
    m, n = f["m"], f["n"]
    blocks = -(-n // cols)
    per_row = memories.scratchpad.shape[1] // cols
    out_per_row = 1 if f["output"] is VectorOutput.INT32 else per_row
    out_rows = blocks * (memories.beats if f["output"] is VectorOutput.INT32 else 1)

    def place(rows: int, base: int, limit: int) -> int:
        # now and then right at the end
        return limit - rows if rng.random() < 0.2 else int(rng.integers(base, limit - rows + 1))

    slack = int(rng.integers(0, 3))
    f["out_stride"] = out_rows + slack
    f["out_row"] = place(
        (m - 1) * f["out_stride"] + out_rows, half * out_per_row, pad_rows * out_per_row
    )
    f["acc_stride"] = m + int(rng.integers(0, 3)) if blocks * (m + 2) < acc_rows else m
    f["acc_row"] = place((blocks - 1) * f["acc_stride"] + m, 0, acc_rows)
    f["residual_stride"] = blocks + slack
    f["residual_row"] = place((m - 1) * f["residual_stride"] + blocks, 0, half * per_row)
    vector_rows = -(-4 * n // memories.scratchpad.shape[1])
    f["bias_row"] = place(vector_rows, 0, half)
    f["scale_row"] = place(vector_rows, 0, half)

    # accumulators of every magnitude; scales that bring them near int8
    shape = (blocks, m, cols)
    bits = int(rng.integers(4, 32))
    acc = rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), shape, np.int64).astype(np.int32)
    for block in range(blocks):
        row = f["acc_row"] + block * f["acc_stride"]
        memories.accumulator[row : row + m] = acc[block]
    scale = (rng.uniform(-300, 300, n) / 2.0**bits).astype(np.float32)
    scale[rng.random(n) < 0.2] = np.float32(2.0 ** -int(rng.integers(1, bits)))
    odd = [0.0, np.inf, np.nan, 1e-42, -np.inf, 3e38]
    strange = rng.random(n) < 0.05
    scale[strange] = rng.choice(odd, int(strange.sum())).astype(np.float32)
    memories.store(f["scale_row"], scale)
    bias = rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), n, np.int64).astype(np.int32)
    memories.store(f["bias_row"], bias)
    return f
