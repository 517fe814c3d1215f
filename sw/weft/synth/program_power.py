"""Activity of a program: a matrix product on the cycle model, by its counters."""

from __future__ import annotations

import re

from weft_hw.config import ChipConfig

from .chip_power import Activity, activity_of_counts

__all__ = ["matmul_activity"]

_SHAPE = re.compile(r"(\d+)x(\d+)x(\d+)")


def matmul_activity(config: ChipConfig, shape: str, format: str) -> Activity:
    """Runs an int8 product ``MxKxN`` on the cycle model and takes its counts; ``format`` is what
    the energy of a MAC is taken of.

    Raises
    ------
    ValueError
        for a shape that is none.
    """
    import numpy as np

    from ..counters import read_counters
    from ..device import Device

    match = _SHAPE.fullmatch(shape)
    if match is None or not all(map(int, match.groups())):
        raise ValueError(f"program must be MxKxN, three positive integers, not {shape!r}")
    m, k, n = map(int, match.groups())
    rng = np.random.default_rng(1)
    with Device("model", config) as device:
        a = device.array(rng.integers(-128, 128, (m, k), dtype=np.int8))
        b = device.array(rng.integers(-128, 128, (k, n), dtype=np.int8))
        before = read_counters(device)
        start = device.target.cycle
        device.matmul(a, b)
        device.synchronize()
        cycles = device.target.cycle - start
        after = read_counters(device)
    counts = {name: after[name] - before[name] for name in after}
    return activity_of_counts(config, counts, cycles, format)
