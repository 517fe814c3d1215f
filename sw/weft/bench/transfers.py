"""Benchmarks of the tensor DMA: share of the port's bytes that arrive, on the compiled RTL.

The steady state is what a second helping adds: the same commands twice as often, less once. The
port moves a scratchpad row a cycle; a response's header takes a cycle of it too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.isa import Opcode
from weft_hw.presets import preset
from weft_sim.dram import Dram

from ..commands import pack
from ..device import Device
from .result import Measurement

__all__ = ["bandwidth"]

#: Memory 100 cycles away, as wide as the port.
_LATENCY = 100
_COMMAND = "weft bench --only bandwidth"
_KIB = 1024
#: Percent of the port that long transfers reach.
_STEADY = 95


def _cycles(device: Device, commands: Sequence[bytes]) -> int:
    event = device.submit(list(commands))
    event.wait()
    return event.end_cycle - event.doorbell_cycle


def _load(address: int, row_bytes: int, rows: int, flit: int, **fields: int) -> bytes:
    """Rows one behind the other in memory; in the scratchpad each in rows of its own."""
    values: dict[str, Any] = {
        "memory_address": address,
        "memory_stride": row_bytes,
        "row_bytes": row_bytes,
        "rows": rows,
        "local_stride": -(-row_bytes // flit),
    }
    return pack(Opcode.LOAD, **(values | fields))


def _cases(config: ChipConfig, address: int) -> dict[str, tuple[list[bytes], int, bool]]:
    """What is measured: commands, bytes that they move, and whether they are long transfers, of
    which the steady state is demanded.
    """
    flit, packet = config.flit_bytes, config.mesh.max_packet_bytes
    size = 64 * _KIB
    store: dict[str, Any] = {"memory_address": address, "memory_stride": flit, "row_bytes": flit}
    store |= {"rows": size // flit, "local_stride": 1}
    image, pixel = 28, flit
    conv = _load(
        address - (image + 1) * pixel, pixel, image, flit, local_stride=9,
        more_1=image - 1, memory_stride_1=image * pixel, local_stride_1=9 * image,
        more_2=2, memory_stride_2=pixel, local_stride_2=1,
        more_3=2, memory_stride_3=image * pixel, local_stride_3=3,
        padded=1, pad_y=-1, pad_x=-1, step_y=1, step_x=1, dilation_y=1, dilation_x=1,
        height=image, width=image,
    )  # fmt: skip
    count, row = 64, 768
    gather = pack(
        Opcode.GATHER, memory_address=address, memory_stride=row, row_bytes=row, rows=count,
        local_row=64, local_stride=row // flit, index_row=0, limit=count,
    )  # fmt: skip
    cases = {
        "LOAD of 64 KiB": ([_load(address, flit, size // flit, flit)], size, True),
        "STORE of 64 KiB": ([pack(Opcode.STORE, **store)], size, True),
        f"LOAD of {packet} bytes": ([_load(address, packet, 1, flit)] * 8, 8 * packet, False),
        f"LOAD of 32 rows of {flit} bytes, apart": (
            [_load(address, flit, 32, flit, memory_stride=100)] * 4, 128 * flit, False,
        ),
        "LOAD in four loops of whole packets": (
            [_load(address, packet, 4, flit, memory_stride=2 * packet,
                   more_1=3, memory_stride_1=16 * packet, local_stride_1=4 * packet // flit,
                   more_2=3, memory_stride_2=8 * packet, local_stride_2=16 * packet // flit)],
            64 * packet, True,
        ),
        "GATHER of 64 rows of 768 bytes": ([gather], count * row, False),
        f"im2col 3x3 of {image}x{image}x{pixel}, padded": ([conv], 9 * image**2 * pixel, False),
        "FILL of 64 KiB": (
            [pack(Opcode.FILL, rows=1, columns=size // flit, stride=1, value=0)], size, True,
        ),
    }  # fmt: skip
    if config.tile.transpose:
        for code in (1, 2, 3):
            element = 1 << (code - 1)
            columns, rows = 256 // element, 128 // element
            command = _load(
                address, columns * element, rows, flit,
                local_stride=-(-rows * element // flit), transpose=code,
            )  # fmt: skip
            what = f"LOAD, transposing {rows}x{columns} of {element} bytes"
            cases[what] = ([command], columns * rows * element, False)
    return cases


def bandwidth() -> Iterator[Measurement]:
    """Every kind of transfer on `base` (rows of 32 bytes), from DRAM."""
    config = preset("base")
    with Device("rtl", config, dram=Dram(latency_cycles=_LATENCY)) as device:
        memory = device.zeros(512 * _KIB)
        address = memory.address + 64 * _KIB
        indices = device.array(np.arange(64, dtype=np.int32))
        _cycles(device, [_load(indices.address, 256, 1, config.flit_bytes)])
        for what, (commands, size, long) in _cases(config, address).items():
            # indices may be overwritten by the case before
            _cycles(device, [_load(indices.address, 256, 1, config.flit_bytes)])
            repeats = max(1, 192 * _KIB // size)
            once = _cycles(device, commands)
            some, twice = (_cycles(device, commands * n) for n in (repeats, 2 * repeats))
            share = repeats * size / (twice - some) / config.flit_bytes
            found = Measurement(
                name="bandwidth",
                what=f"base, {what}: share of the port",
                value=100 * share,
                unit="%",
                command=_COMMAND,
                detail=f"once {once:,} cycles from doorbell to end for {size:,} bytes; "
                f"{(twice - some) / repeats:,.1f} each in the steady state",
            )
            yield found.at_least(_STEADY) if long else found
