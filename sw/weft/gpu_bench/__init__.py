"""Measure a GPU: matrix products, attention, memory, idle power and joules per token."""

from weft.gpu_bench.backend import TorchBackend
from weft.gpu_bench.errors import GpuBenchError
from weft.gpu_bench.measure import Measurement, Work, measure
from weft.gpu_bench.meter import NvmlMeter, PowerSample
from weft.gpu_bench.plan import PRESETS, Plan
from weft.gpu_bench.run import COLUMNS, BenchResult, run_bench

__all__ = [
    "COLUMNS",
    "PRESETS",
    "BenchResult",
    "GpuBenchError",
    "Measurement",
    "NvmlMeter",
    "Plan",
    "PowerSample",
    "TorchBackend",
    "Work",
    "measure",
    "run_bench",
]
