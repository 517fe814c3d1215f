"""How much faster the cycle model is than the compiled RTL: `weft bench --only speed`.

Both run the same program of the same product on the same memory, data and every bit included; what
is timed is the run from doorbell to interrupt, without planning (which both need) and without
loading operands into memory. The RTL runs the whole product with ``--whole``; otherwise a smaller
one, and the time of the whole is extrapolated: its cycles, as the model says them, over the cycles
per second of the smaller one.
"""

from __future__ import annotations

from collections.abc import Iterator

from weft_hw.presets import preset
from weft_sim.dram import Dram

from ..gemm import gemm_report
from .result import Measurement

__all__ = ["speed"]

_SIZE, _PART = 1024, 256
_LATENCY = 100
#: Format -> how many times faster the model should be.
_DEMANDS = {"int8": 300, "bf16": 50}
#: The fastest of so many runs of the model counts: the first one of a process loads and warms up.
_RUNS = 3


def speed(whole: bool = False) -> Iterator[Measurement]:
    """1024^3 on `base`: seconds of the model beside seconds of the RTL."""
    dram, config = Dram(latency_cycles=_LATENCY), preset("base")
    for dtype, demand in _DEMANDS.items():
        side = _SIZE if whole else _PART
        rtl = gemm_report(side, side, side, dtype, config, "rtl", dram=dram)
        runs = [gemm_report(_SIZE, _SIZE, _SIZE, dtype, config, dram=dram) for _ in range(_RUNS)]
        model = min(runs, key=lambda run: run["wall_s"])
        rtl_s = model["cycles"] / rtl["sim_cycles_per_second"]
        origin = f"extrapolated from {side}^3"
        if whole:
            rtl_s, origin = rtl["wall_s"], "measured"
        ratio = rtl_s / model["wall_s"]
        exact = rtl["bit_exact"] and all(run["bit_exact"] for run in runs)
        yield Measurement(
            name="speed",
            what=f"base, {_SIZE}^3 {dtype}: model faster than compiled RTL by",
            value=ratio,
            unit="x",
            command="weft bench --only speed" + (" --whole" if whole else ""),
            detail=f"RTL {rtl['sim_cycles_per_second']:,.0f} cycles/s, so {rtl_s:,.1f} s for "
            f"{model['cycles']:,} cycles ({origin}); model "
            f"{model['sim_cycles_per_second']:,.0f} cycles/s, {model['wall_s']:.3f} s (first "
            f"{runs[0]['wall_s']:.3f} s); bit-exact both: {exact}; one core",
        ).at_least(demand, exact)
