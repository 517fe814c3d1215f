"""One matrix product on a device, checked against the golden and measured: the core of ``weft
gemm``.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.isa import Engine
from weft_sim.dram import Dram

from .compiler.cost import shape_ceiling
from .device import Device
from .gemm_operands import GemmOperands, expected, random_operands
from .kernels.matmul import plan_matmul
from .targets import check_target, resolve_config

__all__ = ["gemm_report"]

_FORMULA = {
    "utilisation": "macs / (tiles R C cycles); cycles from doorbell to last write response",
    "ceiling": "macs / (tiles R C cycles); "
    "cycles = R + (ceil(n/C) ceil(k/R) - 1) max(m, R) + m + R + C; "
    "m, n of the largest tile's part of the best even split",
}


@dataclass(frozen=True, slots=True)
class _Measured:
    """One run of a product on a target."""

    out: np.ndarray
    cycles: int
    commands: int
    modelled_cycles: int
    k_lengths: tuple[int, ...]
    bytes_read: int
    bytes_written: int
    simulated_cycles: int
    wall_s: float
    array_window_cycles: int | None


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
    progress: bool = False,
) -> dict[str, Any]:
    """Runs ``(m, k) @ (k, n)`` on random operands once; the sums (int32, or fp32 of floating-point
    operands) are compared with the golden bit by bit.

    ``explain`` prints the plan, ``progress`` the cycle that a run of more than a second is in, both
    to stderr.

    Returns
    -------
    dict
        ``bit_exact`` (bool); ``cycles``: from the doorbell to the last write's response; ``macs``:
        m k n; ``utilisation``: macs / (processing elements x cycles), of the tiles that may be
        used; ``ceiling``: the largest utilisation that the shape allows
        (``compiler.cost.shape_ceiling``); ``ceiling_fraction``: their ratio; ``bytes_read``,
        ``bytes_written`` at memory; ``commands``, ``modelled_cycles`` of the plan;
        ``model_cycles``: what the cycle model takes for the same program (on target ``model``:
        ``cycles``); ``model_error``: ``model_cycles / cycles - 1``, None on target ``model``;
        ``sim_cycles_per_second`` and ``wall_s`` of the simulation of the product; ``preset``,
        ``dtype``, ``target``, ``seed``, ``tiles``, ``resident`` as asked for; ``formula``: the
        definitions of the two ratios; with ``trace``, ``array_window_cycles``: from the first
        matmul command's start to the last one's end.

    Raises
    ------
    TypeError, ValueError
        for a size, dtype, preset, seed or target that is not there (a board counts no cycles), a
        dtype that the preset lacks, a chip too large for the target.
    """
    for name, size in (("M", m), ("K", k), ("N", n)):
        if not isinstance(size, int) or isinstance(size, bool):
            raise TypeError(f"{name} must be an integer, not {size!r}")
        if not 1 <= size <= 65_535:
            raise ValueError(f"{name} must be between 1 and 65535, not {size}")
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise TypeError(f"seed must be an integer, not {seed!r}")
    if seed < 0:
        raise ValueError(f"seed must be at least 0, not {seed}")
    config = resolve_config(preset)
    check_target(target, config)
    operands = random_operands(config, dtype, m, k, n, seed)
    options: dict[str, Any] = {"tiles": tiles, "resident": resident}
    run = _measure(target, config, dram, operands, options, explain, trace, progress)
    model_cycles, model_error = run.cycles, None
    if target != "model":
        model_cycles = _measure("model", config, dram, operands, options).cycles
        model_error = model_cycles / run.cycles - 1
    used = config.mesh.tiles if tiles is None else tiles
    elements = used * config.tile.array_rows * config.tile.array_cols
    macs = m * k * n
    utilisation = macs / (elements * run.cycles)
    ceiling = shape_ceiling(config, m, k, n, used)
    report = {
        "bit_exact": _same_bits(run.out, expected(config, *operands, run.k_lengths)),
        "cycles": run.cycles,
        "macs": macs,
        "utilisation": utilisation,
        "ceiling": ceiling,
        "ceiling_fraction": utilisation / ceiling,
        "bytes_read": run.bytes_read,
        "bytes_written": run.bytes_written,
        "commands": run.commands,
        "modelled_cycles": run.modelled_cycles,
        "model_cycles": model_cycles,
        "model_error": model_error,
        "sim_cycles_per_second": run.simulated_cycles / run.wall_s,
        "wall_s": run.wall_s,
        "preset": config.name,
        "dtype": dtype,
        "target": target,
        "seed": seed,
        "tiles": used,
        "resident": resident,
        "formula": _FORMULA,
    }
    if run.array_window_cycles is not None:
        report["array_window_cycles"] = run.array_window_cycles
    return report


def _measure(
    target: str,
    config: ChipConfig,
    dram: Dram | None,
    operands: GemmOperands,
    options: dict[str, Any],
    explain: bool = False,
    trace: bool = False,
    progress: bool = False,
) -> _Measured:
    """Runs one product on a fresh device; the same operands give the same program everywhere."""
    with Device(target, config, dram=dram) as device:
        planned = plan_matmul(device, *operands, explain=explain, **options)
        planned.load(device)
        device.synchronize()
        before = device.target.statistics()
        if trace:
            device.target.set_tracing(True)
        start_cycle, start_s = device.target.cycle, time.perf_counter()
        event = planned.run(device)
        with _shown(device, planned.plan.modelled_cycles) if progress else nullcontext():
            event.wait()
        wall_s = time.perf_counter() - start_s
        simulated = device.target.cycle - start_cycle
        after = device.target.statistics()
        window = None
        if trace:
            events = device.target.trace()
            arrays = events[events["engine"] == Engine.MATMUL.value]
            window = int(arrays["cycle"].max() - arrays["cycle"].min())
        return _Measured(
            out=planned.out.numpy().copy(),
            cycles=after["last_write_response_cycle"] - event.doorbell_cycle,
            commands=len(planned.plan.commands),
            modelled_cycles=planned.plan.modelled_cycles,
            k_lengths=planned.plan.k_lengths,
            bytes_read=after["bytes_read"] - before["bytes_read"],
            bytes_written=after["bytes_written"] - before["bytes_written"],
            simulated_cycles=simulated,
            wall_s=wall_s,
            array_window_cycles=window,
        )


def _shown(device: Device, cycles: int) -> AbstractContextManager[object]:
    """A line with the cycle that a device is in, of so many as the plan expects."""
    # imported here: what compiles hardware is not the price of using the model
    from weft_sim.rtl.progress import Progress

    start = device.target.cycle
    shown = Progress(f"running on {device.config.name}")
    shown.step = lambda: f"cycle {device.target.cycle - start:,} of about {cycles:,}"
    return shown


def _same_bits(found: np.ndarray, wanted: np.ndarray) -> bool:
    same_kind = found.dtype == wanted.dtype and found.shape == wanted.shape
    return same_kind and found.tobytes() == wanted.tobytes()
