"""Utilisation over a list of shapes, as the planner makes them, nothing tuned by hand.

Each shape's ceiling is a roofline: the array's own closed form (fill and edges included) or the
compulsory traffic over the memory port, whichever takes longer. Cycles come from the cycle model
(held to the RTL within 1 % by ``weft bench --only model``); some are run on the compiled RTL too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from weft_hw.config import ChipConfig
from weft_hw.presets import preset
from weft_sim.dram import Dram

from ..compiler.cost import shape_ceiling
from ..gemm import gemm_report
from .result import Measurement

__all__ = ["SHAPES", "Shape", "shapes"]

#: Of peak, or of the shape's ceiling.
_OF_PEAK, _OF_CEILING, _SHARE = 0.80, 0.90, 0.90
_LATENCY = 100
#: Shapes that the compiled RTL runs too: a few seconds each.
_ON_RTL = 4_000_000


@dataclass(frozen=True, slots=True)
class Shape:
    """``(m, k) @ (k, n)`` and where such a product occurs."""

    group: str
    m: int
    k: int
    n: int


def _shapes(group: str, *sizes: tuple[int, int, int]) -> tuple[Shape, ...]:
    return tuple(Shape(group, *size) for size in sizes)


#: DeepBench: sizes of its public GEMM lists (github.com/baidu-research/DeepBench, training and
#: inference), as batch x K x outputs. Attention and encoder: BERT-like heads and MiniLM-L6 (hidden
#: 384, 12 heads of 32, feed-forward 1536). im2col: ResNet-50 stages at 14 and 28 pixels, batch 1.
SHAPES = (
    *_shapes(
        "square", (64, 64, 64), (96, 96, 96), (128, 128, 128), (200, 200, 200), (256, 256, 256),
        (320, 320, 320), (384, 384, 384), (512, 512, 512), (640, 640, 640), (1000, 1000, 1000),
    ),
    *_shapes(
        "tall", (2048, 64, 64), (4096, 32, 128), (4096, 128, 32), (1024, 256, 64), (3000, 77, 55),
        (2000, 16, 500), (8192, 64, 16),
    ),
    *_shapes(
        "wide", (64, 64, 2048), (32, 128, 4096), (48, 256, 1024), (100, 300, 1500), (16, 512, 2048),
        (128, 33, 1111),
    ),
    *_shapes(
        "batch 1", (1, 512, 512), (1, 1024, 1024), (1, 384, 1536), (1, 1536, 384), (1, 2048, 512),
        (2, 1024, 1024), (4, 768, 768), (8, 768, 768),
    ),
    *_shapes(
        "DeepBench", (16, 1760, 1760), (32, 1760, 1760), (64, 1760, 1760), (16, 2048, 2048),
        (32, 2048, 2048), (128, 2048, 2048), (35, 2048, 700), (35, 2560, 700), (128, 1024, 3072),
        (64, 2560, 2560),
    ),
    *_shapes(
        "attention", (128, 32, 128), (128, 128, 32), (512, 64, 512), (512, 512, 64), (256, 80, 256),
        (16, 384, 384), (16, 384, 1536), (16, 1536, 384), (128, 384, 1152), (64, 768, 768),
    ),
    *_shapes(
        "im2col", (784, 576, 64), (784, 147, 64), (196, 1152, 128), (196, 2304, 256),
        (784, 1152, 128), (49, 4608, 512), (784, 27, 32),
    ),
)  # fmt: skip


def _ceiling(config: ChipConfig, shape: Shape, dtype: str, bytes_per_cycle: float) -> float:
    """Largest utilisation that array and memory port allow. Every operand is read once, every
    result written once, over one bus: reads and writes together move ``bytes_per_cycle``
    (``weft_sim.dram``).
    """
    operand = {"bf16": 2, "int4": 0.5}.get(dtype, 1)
    read = operand * (shape.m * shape.k + shape.k * shape.n)
    written = 4 * shape.m * shape.n
    peak = config.peak_macs_per_cycle
    ports = config.mesh.memory_endpoints
    memory = (read + written) / (ports * bytes_per_cycle)
    of_memory = shape.m * shape.k * shape.n / (peak * memory)
    return min(shape_ceiling(config, shape.m, shape.k, shape.n), of_memory)


def shapes() -> Iterator[Measurement]:
    """All shapes on `base`, in int8 and bf16; 32-bit results."""
    config = preset("base")
    rate = config.flit_bytes
    for dtype in ("int8", "bf16"):
        good, rows, checked = 0, [], 0
        for shape in SHAPES:
            size = (shape.m, shape.k, shape.n)
            dram = Dram(latency_cycles=_LATENCY, bytes_per_cycle=rate)
            report = gemm_report(*size, dtype=dtype, preset=config, dram=dram)
            note = ""
            if shape.m * shape.k * shape.n <= _ON_RTL:
                rtl = gemm_report(*size, dtype=dtype, preset=config, target="rtl", dram=dram)
                checked += rtl["bit_exact"]
                note = f"   RTL {rtl['cycles']:,}"
            ceiling = _ceiling(config, shape, dtype, rate)
            share = report["utilisation"] / ceiling
            passes = report["utilisation"] >= _OF_PEAK or share >= _OF_CEILING
            good += passes and report["bit_exact"]
            rows.append(
                f"{shape.group:<10} {shape.m:>5} x {shape.k:>5} x {shape.n:>5}  "
                f"{report['cycles']:>10,} cycles  {100 * report['utilisation']:6.2f} % of peak  "
                f"{100 * share:6.2f} % of ceiling {'' if passes else '  BELOW'}{note}"
            )
        yield Measurement(
            name="shapes",
            what=f"base, {len(SHAPES)} shapes in {dtype}: share that reaches its mark",
            value=100 * good / len(SHAPES),
            unit="%",
            command="weft bench --only shapes",
            detail=f"mark: {100 * _OF_PEAK:.0f} % of peak or {100 * _OF_CEILING:.0f} % of the "
            f"roofline; modelled cycles, {checked} of the small ones bit-exact on RTL too\n    "
            + "\n    ".join(rows),
        ).at_least(100 * _SHARE)
