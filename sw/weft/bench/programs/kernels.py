"""Programs of kernels in a batch: products, attention, norms, sums that wait for each other."""

from __future__ import annotations

import ml_dtypes
import numpy as np
from weft_hw.config import ChipConfig
from weft_sim.dram import Dram

from ...buffer import DeviceBuffer
from ...device import Device
from ...event import Event
from .program import DATA_BYTES, Program

__all__ = ["kernel_program"]

_BF16 = ml_dtypes.bfloat16


def kernel_program(config: ChipConfig, rng: np.random.Generator, kernels: int = 4) -> Program:
    """So many kernels of bf16, each on the result of the one before, as the driver makes them in
    ``Device.batch``; sizes and kernels at random.

    Raises
    ------
    ValueError
        if the chip has no bf16.
    """
    if "bf16" not in config.tile.formats:
        raise ValueError(f"{config.name} has no bf16, in which kernels are batched")
    program = Program(config, f"{kernels} kernels in a batch")
    with Device("model", config, dram=Dram(size_bytes=DATA_BYTES)) as device:
        rows, columns = int(rng.integers(1, 40)), 2 * int(rng.integers(4, 33))

        def operand(*shape: int) -> DeviceBuffer:
            return device.array(rng.normal(size=shape).astype(_BF16))

        events: list[Event] = []
        device.listeners.append(events.append)
        x = first = operand(rows, columns)
        gamma, beta = (device.array(rng.normal(size=columns).astype(np.float32)) for _ in range(2))
        with device.batch():
            for _ in range(kernels):
                kind = str(rng.choice(["product", "residual", "attention", "norm", "sum"]))
                if kind == "product":
                    weights = operand(columns, columns)
                    x = device.matmul_async(x, weights, activation="gelu", out_dtype=_BF16).result
                elif kind == "residual":
                    weights = operand(columns, columns)
                    x = device.matmul_async(x, weights, residual=first, out_dtype=_BF16).result
                elif kind == "attention":
                    heads = x.reshape(1, rows, columns)
                    x = device.attention(heads, heads, heads, heads=2).reshape(rows, columns)
                elif kind == "norm":
                    x = device.layer_norm(x, gamma, beta)
                else:
                    x = device.add(x, first)
            # nothing has been submitted yet
            program.memory[:] = device.target.memory
        # kernels lie between each other
        found = {
            int(index): command.tobytes()
            for event in events
            for index, command in zip(event.indices, event.commands, strict=True)
        }
    program.commands += [found[index] for index in sorted(found)]
    return program
