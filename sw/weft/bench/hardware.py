"""Benchmarks of the hardware: utilisation, ceilings, scaling, command cost. On the compiled RTL."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.isa import Engine, Opcode
from weft_hw.presets import preset
from weft_sim.dram import Dram

from ..array_window import array_window
from ..commands import pack
from ..device import Device
from ..gemm import gemm_report
from .result import Measurement

__all__ = ["ceiling", "command", "memory", "resident", "scaling", "utilisation"]

_SIZE = 512
#: Memory 100 cycles away, as wide as the port.
_DRAM = Dram(latency_cycles=100)


def _on_rtl(size: int, config: str | ChipConfig, dtype: str = "int8", **options: Any) -> Any:
    return gemm_report(size, size, size, dtype, config, "rtl", dram=_DRAM, **options)


def utilisation() -> Iterator[Measurement]:
    """512^3 in int8 and bf16 on `base`, in int8 on `base8`, from DRAM."""
    for name, dtype, speed in (("base", "bf16", 35_000), ("base", "int8", None),
                               ("base8", "int8", 200_000)):  # fmt: skip
        report = _on_rtl(_SIZE, name, dtype)
        command = f"weft gemm 512 512 512 --preset {name} --dtype {dtype} --target rtl --json"
        yield Measurement(
            name="utilisation",
            what=f"{name}, 512x512x512 {dtype} from DRAM: utilisation",
            value=100 * report["utilisation"],
            unit="%",
            command=command,
            detail=f"{report['cycles']:,} cycles, doorbell to last write response, "
            f"bit-exact {report['bit_exact']}; model off by {100 * report['model_error']:.3f} %",
        ).at_least(97, report["bit_exact"])
        rate = Measurement(
            name="utilisation",
            what=f"{name}, compiled RTL while computing {dtype}: speed",
            value=report["sim_cycles_per_second"],
            unit="cycles/s",
            command=command,
            detail="one core; nothing else should run beside it",
        )
        yield rate if speed is None else rate.at_least(speed)


def resident() -> Iterator[Measurement]:
    """Operands in the scratchpad: 512 KiB of them need a larger one than that of `base8`."""
    report = _on_rtl(_SIZE, preset("base8").replace_tile(scratchpad_kib=1024), resident=True)
    yield Measurement(
        name="resident",
        what="base8 with 1 MiB scratchpad, operands resident: utilisation",
        value=100 * report["utilisation"],
        unit="%",
        command="weft gemm 512 512 512 --preset base8 --scratchpad-kib 1024 --resident "
        "--target rtl --json",
        detail=f"{report['cycles']:,} cycles",
    ).at_least(99.5, report["bit_exact"])
    report = gemm_report(384, 256, 384, preset="base", target="rtl", dram=_DRAM, resident=True)
    yield Measurement(
        name="resident",
        what="base as it is, 384x256x384 resident: utilisation",
        value=100 * report["utilisation"],
        unit="%",
        command="weft gemm 384 256 384 --preset base --resident --target rtl --json",
        detail=f"{report['cycles']:,} cycles, bit-exact {report['bit_exact']}",
    )


def ceiling() -> Iterator[Measurement]:
    """Every M, K, N around the array's size: share of its own ceiling in the engine's window."""
    size = preset("base").tile.array_rows
    sizes = (1, size - 1, size, size + 1, 3 * size + 5, 16 * size)
    rows = [
        array_window(m, k, n, "base", "rtl", seed=m)
        for m, k, n in itertools.product(sizes, repeat=3)
    ]
    worst = min(rows, key=lambda row: row["fraction"])
    median = np.median([row["fraction"] for row in rows])
    yield Measurement(
        name="ceiling",
        what=f"base, {len(rows)} shapes around R: worst share of own ceiling",
        value=100 * worst["fraction"],
        unit="%",
        command="weft bench --only ceiling",
        detail=f"worst {worst['m']}x{worst['k']}x{worst['n']}: {worst['window_cycles']} cycles, "
        f"ceiling {worst['ceiling_cycles']}; median {100 * median:.2f} %",
    ).at_least(95, all(row["bit_exact"] for row in rows))


def scaling() -> Iterator[Measurement]:
    """`quad` against one of its tiles on the RTL; `mesh16` against one of its tiles, modelled, and
    a smaller product on its RTL.
    """
    one, four = (_on_rtl(_SIZE, "quad", tiles=tiles) for tiles in (1, None))
    yield Measurement(
        name="scaling",
        what="quad against one of its tiles, 512x512x512: speed-up",
        value=one["cycles"] / four["cycles"],
        unit="x",
        command="weft gemm 512 512 512 --preset quad --target rtl [--tiles 1] --json",
        detail=f"{one['cycles']:,} and {four['cycles']:,} cycles",
    ).at_least(3.8, one["bit_exact"] and four["bit_exact"])
    one, sixteen = (
        gemm_report(1024, 1024, 1024, preset="mesh16", dram=_DRAM, tiles=tiles)
        for tiles in (1, None)
    )
    yield Measurement(
        name="scaling",
        what="mesh16 against one of its tiles, 1024^3, modelled: speed-up",
        value=one["cycles"] / sixteen["cycles"],
        unit="x",
        command="weft gemm 1024 1024 1024 --preset mesh16 [--tiles 1] --json",
        detail=f"{one['cycles']:,} and {sixteen['cycles']:,} cycles; a row of four tiles shares a "
        "memory endpoint",
    ).at_least(15.2, one["bit_exact"] and sixteen["bit_exact"])
    whole = _on_rtl(_SIZE, "mesh16")
    yield Measurement(
        name="scaling",
        what="mesh16, 512x512x512: utilisation of 16 tiles",
        value=100 * whole["utilisation"],
        unit="%",
        command="weft gemm 512 512 512 --preset mesh16 --target rtl --json",
        detail=f"{whole['cycles']:,} cycles, bit-exact {whole['bit_exact']}; model off by "
        f"{100 * whole['model_error']:.3f} %; {whole['sim_cycles_per_second']:,.0f} cycles/s",
    )


def command() -> Iterator[Measurement]:
    """What a command costs: an empty one alone, and small products back to back."""
    with Device("rtl", "base", dram=_DRAM) as device:
        event = device.submit([])
        event.wait()
        event = device.submit([])
        fence = event.end_cycle - event.doorbell_cycle
        event = device.submit([pack(Opcode.NOP, engine=Engine.MATMUL)])
        empty = event.end_cycle - event.doorbell_cycle
        count, size = 256, preset("base").tile.array_rows
        products = [
            pack(
                Opcode.MATMUL, m=size, k=size, n=size, acc_stride=size, a_row=0, a_stride=1,
                w_row=4096, w_stride=1, acc_row=0,
            )
        ] * count  # fmt: skip
        event = device.submit(products)
        each = (event.end_cycle - event.doorbell_cycle) / count
    for what, value, demand in (
        ("empty submission (fence alone)", fence, "few x 100"),
        ("empty command through a tile", empty, "few x 100"),
        ("back-to-back 16x16x16 products, each", each, ""),
    ):
        yield Measurement(
            name="command",
            what=f"base, {what}: doorbell to completion",
            value=value,
            unit="cycles",
            demand=demand,
            command="weft bench --only command",
            detail=f"memory latency {_DRAM.latency_cycles} cycles; {1e9 / value:,.0f} a second at "
            "1 GHz",
        )


def memory() -> Iterator[Measurement]:
    """Products whose operands and results cross memory each time."""
    report = _on_rtl(64, "base")
    yield Measurement(
        name="memory",
        what="base, 64x64x64 from DRAM and back: doorbell to last write",
        value=report["cycles"],
        unit="cycles",
        command="weft gemm 64 64 64 --preset base --target rtl --json",
        detail="cold start: everything waits for memory",
    )
