"""What a command reads and writes: rows of the local memories, bytes of memory.

Rows and bytes that a command touches here and there are told as the range that holds them all, so
that two commands may seem to meet where they do not, never the other way round. A microprogram's
streams in the scratchpad all count as written, because the command does not say which are; streams
whose fields are all zero as not used.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.formats.table import Format, units_per_row, units_per_vector
from weft_hw.isa import Opcode, VectorOutput

from .program import Step
from .task import ceil_div

__all__ = ["Footprints", "Place", "Span", "footprint"]

_STREAMS = 4
_INSTRUCTION_BYTES = 8
_INDEX_BYTES = 4
_PARAMETER_BYTES = 4


class Place(Enum):
    """A memory."""

    SCRATCHPAD = 0
    ACCUMULATOR = 1
    MEMORY = 2


@dataclass(frozen=True, slots=True)
class Span:
    """``[first, end)`` of a memory, in rows or, of device memory, bytes. Of a matrix in device
    memory, ``pitch`` is the distance of its rows (0 if there is only one) and ``width`` the bytes
    of each.
    """

    place: Place
    first: int
    end: int
    writes: bool
    pitch: int = 0
    width: int = 0


def footprint(config: ChipConfig, step: Step) -> list[Span]:
    """Of a command of a tile of its own; one that sends to tiles has none to speak of.

    Raises
    ------
    ValueError
        for a store to tiles.
    """
    fields: dict[str, int] = defaultdict(int, step.fields)
    match step.opcode:
        case Opcode.LOAD:
            return _load(config, fields)
        case Opcode.GATHER:
            return _gather(config, fields)
        case Opcode.FILL:
            end = fields["row"] + (fields["rows"] - 1) * fields["stride"] + fields["columns"]
            return [Span(Place.SCRATCHPAD, fields["row"], end, True)]
        case Opcode.STORE:
            if fields["to_tiles"]:
                raise ValueError("a store to tiles must not be mixed with other kernels")
            return [_memory(fields, True), _local(config, fields, False)]
        case Opcode.MATMUL:
            return _matmul(config, fields)
        case Opcode.VECTOR:
            return _vector(config, fields)
        case Opcode.RUN:
            return _run(config, fields)
        case Opcode.PROGRAM:
            rows = ceil_div(fields["count"] * _INSTRUCTION_BYTES, config.tile.row_bytes)
            return [Span(Place.SCRATCHPAD, fields["row"], fields["row"] + rows, False)]
    return []


@dataclass(frozen=True, slots=True)
class Footprints:
    """Those of many steps. ``spans``: (n, 7) of int64: the number of the step, and a ``Span``."""

    steps: tuple[Step, ...]
    place: dict[Step, int]
    spans: np.ndarray

    @classmethod
    def of(cls, config: ChipConfig, steps: Sequence[Step]) -> Footprints:
        rows = [
            (number, one.place.value, one.first, one.end, one.writes, one.pitch, one.width)
            for number, step in enumerate(steps)
            for one in footprint(config, step)
        ]
        place = {step: number for number, step in enumerate(steps)}
        return cls(tuple(steps), place, np.array(rows, np.int64).reshape(-1, 7))

    @classmethod
    def joined(cls, parts: Sequence[Footprints]) -> Footprints:
        """One after the other."""
        steps: tuple[Step, ...] = ()
        spans = [np.empty((0, 7), np.int64)]
        for part in parts:
            spans.append(part.spans + np.array([len(steps), 0, 0, 0, 0, 0, 0]))
            steps += part.steps
        place = {step: number for number, step in enumerate(steps)}
        return cls(steps, place, np.concatenate(spans))

    def met_by(self, others: Footprints, number: int) -> list[Step]:
        """Steps that touch a row or byte that step ``number`` of ``others`` touches, too, if one of
        the two writes it.
        """
        found: set[int] = set()
        owner, place, first, end, writes, pitch, width = self.spans.T
        for _, its, low, high, changes, each, wide in others.spans[others.spans[:, 0] == number]:
            meets = (place == its) & (low < end) & (first < high) & (writes | changes).astype(bool)
            if each:
                # columns of matrices with one pitch, modulo it
                apart = (first - low) % each
                meets &= (pitch != each) | (apart < wide) | (each - apart < width)
            found.update(owner[meets].tolist())
        return [self.steps[one] for one in sorted(found)]


def _memory(fields: dict[str, int], writes: bool) -> Span:
    """Rows of a load without further loops, or of a store."""
    first, rows, width = fields["memory_address"], fields["rows"], fields["row_bytes"]
    pitch = fields["memory_stride"] if rows > 1 and fields["memory_stride"] > width else 0
    end = first + (rows - 1) * fields["memory_stride"] + width
    return Span(Place.MEMORY, first, end, writes, pitch, width)


def _local(config: ChipConfig, fields: dict[str, int], writes: bool) -> Span:
    """Scratchpad rows of a transfer."""
    rows = fields["rows"]
    width = ceil_div(fields["row_bytes"], config.tile.row_bytes)
    if fields["transpose"]:
        element = 1 << fields["transpose"] - 1
        width = ceil_div(rows * element, config.tile.row_bytes)
        rows = fields["row_bytes"] // element
    end = fields["local_row"] + (rows - 1) * fields["local_stride"] + width
    for loop in (1, 2, 3):
        end += fields[f"more_{loop}"] * fields[f"local_stride_{loop}"]
    return Span(Place.SCRATCHPAD, fields["local_row"], end, writes)


def _load(config: ChipConfig, fields: dict[str, int]) -> list[Span]:
    memory = _memory(fields, False)
    if fields["padded"] or any(fields[f"more_{loop}"] for loop in (1, 2, 3)):
        # strides of further loops may lead anywhere
        memory = Span(Place.MEMORY, 0, 1 << config.host.address_bits, False)
    return [_local(config, fields, True), memory]


def _gather(config: ChipConfig, fields: dict[str, int]) -> list[Span]:
    index, first = fields["index_row"], fields["memory_address"]
    rows = ceil_div(fields["rows"] * _INDEX_BYTES, config.tile.row_bytes)
    end = first + (fields["limit"] - 1) * fields["memory_stride"] + fields["row_bytes"]
    return [
        _local(config, fields, True),
        Span(Place.SCRATCHPAD, index, index + rows, False),
        Span(Place.MEMORY, first, end, False),
    ]


def _units(config: ChipConfig, code: Format, first: int, end: int, writes: bool) -> Span:
    """Units of a format as scratchpad rows."""
    per_row = units_per_row(config.tile, code)
    return Span(Place.SCRATCHPAD, first // per_row, ceil_div(end, per_row), writes)


def _matmul(config: ChipConfig, fields: dict[str, int]) -> list[Span]:
    tile, code = config.tile, Format(fields["format"])
    m, k = fields["m"], fields["k"]
    groups, depth = ceil_div(fields["n"], tile.array_cols), ceil_div(k, tile.array_rows)
    a, w, acc = fields["a_row"], fields["w_row"], fields["acc_row"]
    end = acc + (groups - 1) * fields["acc_stride"] + m
    each = units_per_vector(tile, code)
    found = [
        _units(config, code, a, a + (m - 1) * fields["a_stride"] + depth * each, False),
        _units(config, code, w, w + (k - 1) * fields["w_stride"] + groups * each, False),
        Span(Place.ACCUMULATOR, acc, end, True),
    ]
    if fields["scaled"]:
        further = ceil_div(k, 32) - 1
        a, w = fields["a_scale_row"], fields["w_scale_row"]
        end = a + further * fields["a_scale_stride"] + ceil_div(m, tile.row_bytes)
        found.append(Span(Place.SCRATCHPAD, a, end, False))
        end = w + further * fields["w_scale_stride"] + groups
        found.append(_units(config, Format.INT8, w, end, False))
    return found


def _vector(config: ChipConfig, fields: dict[str, int]) -> list[Span]:
    tile, m = config.tile, fields["m"]
    groups = ceil_div(fields["n"], tile.array_cols)
    wide = fields["output"] == VectorOutput.INT32.value
    code = Format.INT32 if wide else Format.INT8
    acc, out = fields["acc_row"], fields["out_row"]
    end = out + (m - 1) * fields["out_stride"] + groups * units_per_vector(tile, code)
    found = [
        Span(Place.ACCUMULATOR, acc, acc + (groups - 1) * fields["acc_stride"] + m, False),
        _units(config, code, out, end, True),
    ]
    rows = ceil_div(fields["n"] * _PARAMETER_BYTES, tile.row_bytes)
    for name, used in (("bias", fields["use_bias"]), ("scale", not wide)):
        if used:
            first = fields[f"{name}_row"]
            found.append(Span(Place.SCRATCHPAD, first, first + rows, False))
    if fields["use_residual"]:
        first = fields["residual_row"]
        end = first + (m - 1) * fields["residual_stride"] + groups
        found.append(_units(config, Format.INT8, first, end, False))
    return found


def _run(config: ChipConfig, fields: dict[str, int]) -> list[Span]:
    rows, blocks = fields["m"], ceil_div(fields["n"], config.tile.array_cols)
    found = []
    for number in range(_STREAMS):
        name = f"stream{number}_"
        one = {key: value for key, value in fields.items() if key.startswith(name) and value}
        if not one:
            continue
        down = (rows - 1) * one.get(f"{name}row_stride", 0)
        across = (blocks - 1) * one.get(f"{name}block_stride", 0)
        first = one.get(f"{name}row", 0)
        low, high = first + min(0, down) + min(0, across), first + max(0, down) + max(0, across)
        if one.get(f"{name}accumulator"):
            found.append(Span(Place.ACCUMULATOR, low, high + 1, False))
            continue
        code = Format(one.get(f"{name}format", 0))
        each = units_per_vector(config.tile, code)
        found.append(_units(config, code, low, high + each, True))
    return found
