"""One matrix product on a device, checked against the golden and measured: the core of ``weft
gemm``.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.isa import Engine
from weft_sim.dram import Dram
from weft_sim.golden import matmul_int8

from .compiler.cost import shape_ceiling
from .device import Device
from .kernels.matmul import plan_matmul
from .targets import resolve_config

__all__ = ["gemm_report"]

_FORMULA = {
    "utilisation": "macs / (tiles R C cycles); cycles from doorbell to last write response",
    "ceiling": "macs / (tiles R C cycles); "
    "cycles = R + (ceil(n/C) ceil(k/R) - 1) max(m, R) + m + R + C; "
    "m, n of the largest tile's part of the best even split",
}
#: Operand dtypes that ``gemm_report`` can make.
DTYPES = ("int8",)


def gemm_report(
    m: int,
    k: int,
    n: int,
    dtype: str = "int8",
    preset: str | ChipConfig = "base",
    target: str = "model",
    seed: int = 0,
    dram: Dram | None = None,
    *,
    tiles: int | None = None,
    resident: bool = False,
    explain: bool = False,
    trace: bool = False,
) -> dict[str, Any]:
    """Runs ``(m, k) @ (k, n)`` on random operands once; int32 results are compared with the golden
    bit by bit.

    Returns
    -------
    dict
        ``bit_exact`` (bool); ``cycles``: from the doorbell to the last write's response; ``macs``:
        m k n; ``utilisation``: macs / (processing elements x cycles), of the tiles that may be
        used; ``ceiling``: the largest utilisation that the shape allows
        (``compiler.cost.shape_ceiling``); ``ceiling_fraction``: their ratio; ``bytes_read``,
        ``bytes_written`` at memory; ``commands``, ``modelled_cycles`` of the plan;
        ``sim_cycles_per_second`` and ``wall_s`` of the simulation of the product; ``preset``,
        ``dtype``, ``target``, ``seed``, ``tiles``, ``resident`` as asked for; ``formula``: the
        definitions of the two ratios; with ``trace``, ``array_window_cycles``: from the first
        matmul command's start to the last one's end.

    Raises
    ------
    TypeError, ValueError
        for a size, dtype, preset or target that is not there.
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, not {dtype!r}")
    for name, size in (("M", m), ("K", k), ("N", n)):
        if not isinstance(size, int) or isinstance(size, bool):
            raise TypeError(f"{name} must be an integer, not {size!r}")
        if not 1 <= size <= 65_535:
            raise ValueError(f"{name} must be between 1 and 65535, not {size}")
    config = resolve_config(preset)
    rng = np.random.default_rng(seed)
    a = rng.integers(-128, 128, (m, k), dtype=np.int8)
    b = rng.integers(-128, 128, (k, n), dtype=np.int8)
    with Device(target, config, dram=dram) as device:
        planned = plan_matmul(device, a, b, tiles=tiles, resident=resident, explain=explain)
        planned.load(device)
        device.synchronize()
        before = device.target.statistics()
        if trace:
            device.target.set_tracing(True)
        start_cycle, start_s = device.target.cycle, time.perf_counter()
        event = planned.run(device)
        event.wait()
        wall_s = time.perf_counter() - start_s
        simulated = device.target.cycle - start_cycle
        after = device.target.statistics()
        cycles = after["last_write_response_cycle"] - event.doorbell_cycle
        exact = bool(np.array_equal(planned.out.numpy(), matmul_int8(a, b)))
        events = device.target.trace() if trace else None
    used = config.mesh.tiles if tiles is None else tiles
    elements = used * config.tile.array_rows * config.tile.array_cols
    macs = m * k * n
    utilisation = macs / (elements * cycles)
    ceiling = shape_ceiling(config, m, k, n, used)
    report = {
        "bit_exact": exact,
        "cycles": cycles,
        "macs": macs,
        "utilisation": utilisation,
        "ceiling": ceiling,
        "ceiling_fraction": utilisation / ceiling,
        "bytes_read": after["bytes_read"] - before["bytes_read"],
        "bytes_written": after["bytes_written"] - before["bytes_written"],
        "commands": len(planned.plan.commands),
        "modelled_cycles": planned.plan.modelled_cycles,
        "sim_cycles_per_second": simulated / wall_s,
        "wall_s": wall_s,
        "preset": config.name,
        "dtype": dtype,
        "target": target,
        "seed": seed,
        "tiles": used,
        "resident": resident,
        "formula": _FORMULA,
    }
    if events is not None:
        arrays = events[events["engine"] == Engine.MATMUL.value]
        report["array_window_cycles"] = int(arrays["cycle"].max() - arrays["cycle"].min())
    return report
