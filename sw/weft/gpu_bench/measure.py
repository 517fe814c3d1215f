"""Time and energy of one piece of work, repeated until it fills an interval."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from weft.gpu_bench.backend import TorchBackend
from weft.gpu_bench.errors import GpuBenchError
from weft.gpu_bench.meter import NvmlMeter

__all__ = ["Measurement", "Work", "measure"]

MOST_REPEATS = 1_000_000


@dataclass(frozen=True, slots=True)
class Work:
    """What is measured: a name, its counts per run, and how to build it on a device."""

    kind: str
    """`gemm`, `attention`, `memory` or `decode`."""
    name: str
    dtype: str
    shape: str
    flops: float
    """Useful operations per run, 2 per multiply-accumulate."""
    bytes: float
    """Least DRAM traffic per run."""
    tokens: float
    """Tokens a run stands for; 0 where the question makes no sense."""
    build: Callable[[TorchBackend], Callable[[], Any]]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One row of results."""

    kind: str
    name: str
    dtype: str
    shape: str
    repeats: int
    time_us: float
    tflops: float
    gb_per_s: float
    watts: float
    joules_per_run: float
    joules_per_token: float
    sm_clock_mhz: float
    power_method: str


def measure(
    work: Work, backend: TorchBackend, meter: NvmlMeter, *, seconds: float, warmup_runs: int = 5
) -> Measurement:
    """Run `work` back to back for about `seconds` and report time and energy per run.

    A quarter of the interval runs first, unmeasured, so that clocks and temperature settle.
    """
    if seconds <= 0:
        raise GpuBenchError(f"seconds must be positive, not {seconds}")
    run = work.build(backend)
    backend.seconds(run, warmup_runs)
    one = max(backend.seconds(run, 3) / 3, 1e-7)
    repeats = max(3, min(MOST_REPEATS, round(seconds / one)))
    backend.seconds(run, max(1, repeats // 4))
    with meter.interval() as interval:
        spent = backend.seconds(run, repeats)
        clock = meter.sm_clock_mhz()
    assert interval.sample is not None
    time_s = spent / repeats
    # host overhead around the device's interval is idle time of the board: count power, not energy
    joules = interval.sample.watts * time_s
    backend.free()
    return Measurement(
        kind=work.kind,
        name=work.name,
        dtype=work.dtype,
        shape=work.shape,
        repeats=repeats,
        time_us=time_s * 1e6,
        tflops=work.flops / time_s / 1e12,
        gb_per_s=work.bytes / time_s / 1e9,
        watts=interval.sample.watts,
        joules_per_run=joules,
        joules_per_token=joules / work.tokens if work.tokens else 0.0,
        sm_clock_mhz=clock,
        power_method=interval.sample.method,
    )
