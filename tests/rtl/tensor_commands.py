"""Tensor commands for the benches of the load engine: any LOAD, GATHER and FILL."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.isa import COMMANDS, Opcode
from weft_sim.bench import pack

__all__ = [
    "INDEX_LIMIT",
    "INDEX_ROWS",
    "TensorCommand",
    "im2col",
    "random_fill",
    "random_gather",
    "random_im2col",
    "random_loops",
    "random_transpose",
]


@dataclass
class TensorCommand:
    """A command of the load engine by its fields."""

    opcode: Opcode
    fields: dict[str, int]
    index: int = 0
    signal: int = 0

    def bits(self, opcode: Opcode | None = None) -> dict[str, Any]:
        """As the front end hands it over; bits beyond its fields are set."""
        layout = COMMANDS[self.opcode]
        header = {"opcode": self.opcode, "tile_x": 5, "wait": 0xFFFF, "signal": self.signal}
        size = layout.as_shape().size
        word = pack(layout, {**self.fields, "header": header}) | ((1 << 512) - (1 << size))
        return {"bits": word, "index": self.index}

    @property
    def endpoint(self) -> int:
        return self.fields.get("endpoint", 0)


def im2col(
    config: ChipConfig,
    image: tuple[int, int, int],
    kernel: tuple[int, int],
    output: tuple[int, int],
    *,
    pad: tuple[int, int] = (0, 0),
    step: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    address: int = 0,
    local_row: int = 0,
    value: int = 0,
    endpoint: int = 0,
) -> TensorCommand:
    """The LOAD that unrolls an image (height, width, bytes of a pixel) at ``address``: an output
    position gets ``kernel`` pixels that follow each other, each in scratchpad rows of its own.
    Pairs are (y, x); ``pad`` is what lies before the image.
    """
    height, width, pixel = image
    flits = -(-pixel // config.flit_bytes)
    window = kernel[0] * kernel[1] * flits
    start = address - (pad[0] * width + pad[1]) * pixel
    fields = {
        "memory_address": start % (1 << config.host.address_bits),
        "row_bytes": pixel,
        "rows": output[1],
        "memory_stride": step[1] * pixel,
        "local_row": local_row,
        "local_stride": window,
        "endpoint": endpoint,
        "more_1": output[0] - 1,
        "memory_stride_1": step[0] * width * pixel,
        "local_stride_1": output[1] * window,
        "more_2": kernel[1] - 1,
        "memory_stride_2": dilation[1] * pixel,
        "local_stride_2": flits,
        "more_3": kernel[0] - 1,
        "memory_stride_3": dilation[0] * width * pixel,
        "local_stride_3": kernel[1] * flits,
        "padded": 1,
        "pad_y": -pad[0],
        "pad_x": -pad[1],
        "step_y": step[0],
        "step_x": step[1],
        "dilation_y": dilation[0],
        "dilation_x": dilation[1],
        "height": height,
        "width": width,
        "pad_value": value,
    }
    return TensorCommand(Opcode.LOAD, fields)


def random_im2col(rng: np.random.Generator, config: ChipConfig, row: int) -> TensorCommand:
    """Any convolution whose unrolled image begins at scratchpad row ``row``."""
    flit = config.flit_bytes
    small = [int(n) for n in rng.integers(1, 5, 8)]
    pixels = [1, flit - 1, flit, flit + 1, 3 * flit, config.mesh.max_packet_bytes + 3]
    pixel = int(rng.choice(pixels, p=[0.2, 0.2, 0.2, 0.2, 0.15, 0.05]))
    return im2col(
        config,
        (int(rng.integers(1, 9)), int(rng.integers(1, 9)), pixel),
        (small[0], small[1]),
        (small[2], int(rng.integers(1, 9))),
        pad=(int(rng.integers(0, 4)), int(rng.integers(0, 4))),
        step=(int(rng.integers(0, 4)), int(rng.integers(0, 4))),
        dilation=(int(rng.integers(0, 4)), int(rng.integers(0, 4))),
        # an image at address 0 has its padding at the other end of the address space
        address=int(rng.choice([0, int(rng.integers(1 << 14))])),
        local_row=row,
        value=int(rng.integers(1 << 32)),
        endpoint=int(rng.integers(config.mesh.memory_endpoints)),
    )


def random_loops(rng: np.random.Generator, config: ChipConfig, row: int) -> TensorCommand:
    """Four loops over rows nested in the scratchpad in any order, with any strides in memory."""
    flit, space = config.flit_bytes, 1 << config.host.address_bits
    row_bytes = int(rng.integers(1, 4 * flit))
    counts = [int(n) for n in rng.integers(1, 5, 4)]
    if rng.random() < 0.5:
        row_bytes = -(-row_bytes // flit) * flit
    step, strides = -(-row_bytes // flit), [0, 0, 0, 0]
    order = rng.permutation(4) if rng.random() < 0.7 else np.arange(4)
    for loop in order:
        strides[loop] = step
        step *= counts[loop]
    inner = row_bytes if rng.random() < 0.5 else int(rng.integers(1 << 18))
    fields = {
        "memory_address": int(rng.choice([0, space >> 1, space - (1 << 24)])),
        "row_bytes": row_bytes,
        "rows": counts[0],
        "memory_stride": inner,
        "local_row": row,
        "local_stride": strides[0],
        "endpoint": int(rng.integers(config.mesh.memory_endpoints)),
    }
    for loop in (1, 2, 3):
        fields[f"more_{loop}"] = counts[loop] - 1
        fields[f"memory_stride_{loop}"] = int(rng.integers(-(1 << 20), 1 << 20))
        fields[f"local_stride_{loop}"] = strides[loop]
    if fields["memory_address"] == 0:
        # stays below the end of the address space before an outer loop wraps
        fields["memory_stride"] %= 1 << 12
    return TensorCommand(Opcode.LOAD, fields)


def random_fill(rng: np.random.Generator, config: ChipConfig, row: int) -> TensorCommand:
    """Any rectangle of rows."""
    packet = config.mesh.max_packet_bytes // config.flit_bytes
    columns = int(rng.choice([1, 2, packet, packet + 1, int(rng.integers(1, 2 * packet))]))
    return TensorCommand(
        Opcode.FILL,
        {
            "row": row,
            "rows": int(rng.integers(1, 9)),
            "columns": columns,
            "stride": columns + int(rng.choice([0, 0, 1, 7])),
            "value": int(rng.integers(1 << 32)),
        },
    )


#: Rows at the scratchpad's end with indices, all below ``INDEX_LIMIT``.
INDEX_ROWS, INDEX_LIMIT = 64, 1000


def random_gather(rng: np.random.Generator, config: ChipConfig, row: int) -> TensorCommand:
    """Rows by indices that lie at the end of the scratchpad."""
    flit, packet = config.flit_bytes, config.mesh.max_packet_bytes
    sizes = [1, flit, flit + 1, 3 * flit, packet, packet + 1, int(rng.integers(1, 6 * flit))]
    row_bytes = int(rng.choice(sizes))
    rows = int(rng.integers(1, 25))
    return TensorCommand(
        Opcode.GATHER,
        {
            "memory_address": int(rng.integers(1 << 34)),
            "memory_stride": int(rng.choice([0, row_bytes, int(rng.integers(1 << 28))])),
            "row_bytes": row_bytes,
            "rows": rows,
            "local_row": row,
            "local_stride": -(-row_bytes // flit) + int(rng.integers(2)),
            "endpoint": int(rng.integers(config.mesh.memory_endpoints)),
            "index_row": config.tile.scratchpad_rows - int(rng.integers(rows, INDEX_ROWS + 1)),
            "limit": int(rng.choice([INDEX_LIMIT, (1 << 32) - 1])),
        },
    )


def random_transpose(rng: np.random.Generator, config: ChipConfig, row: int) -> TensorCommand:
    """A matrix around the size of a strip, of any element; plain if it cannot be transposed."""
    code = int(rng.integers(1, 4))
    size, flit = 1 << (code - 1), config.flit_bytes
    widths = [1, flit, config.transpose_columns, int(rng.integers(1, 3 * config.transpose_columns))]
    columns = max(1, int(rng.choice(widths)) + int(rng.integers(-1, 2)))
    rows = max(1, int(rng.choice([1, flit // size, int(rng.integers(1, 3 * flit))])))
    return TensorCommand(
        Opcode.LOAD,
        {
            "memory_address": int(rng.integers(1 << 30)),
            "memory_stride": columns * size + int(rng.choice([0, int(rng.integers(1 << 20))])),
            "row_bytes": columns * size,
            "rows": rows,
            "local_row": row,
            "local_stride": -(-rows * size // flit) + int(rng.choice([0, 0, 1, 5])),
            "endpoint": int(rng.integers(config.mesh.memory_endpoints)),
            "transpose": code if config.tile.transpose else 0,
        },
    )
