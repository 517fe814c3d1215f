"""What the load engine does: which memory bytes each command asks for, in what order and for which
scratchpad rows, how it ends, and the scratchpad afterwards.

A command is a mapping from field names (``weft_hw.isa``) to integers; fields left out are zero.
Responses of one endpoint come in order and commands with their semaphores do not race, so the
scratchpad depends on nothing else.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.isa import Opcode, Status

__all__ = ["Access", "Fault", "accesses", "run_transfer"]


class Access(NamedTuple):
    """``length`` bytes at memory byte ``address`` to scratchpad rows from ``row`` on, the rest of
    the last row zeros. With a ``value`` no request: those bytes are its four bytes repeated.
    """

    address: int
    length: int
    row: int
    value: int | None = None


class Fault(NamedTuple):
    """Why a command ends early, and the ``address`` that its end tells."""

    status: Status
    address: int


def accesses(
    config: ChipConfig, opcode: Opcode, command: Mapping[str, int], scratchpad: np.ndarray
) -> Iterator[Access | Fault]:
    """The requests and fills of a LOAD, a GATHER or a FILL, in order. A ``Fault`` is the last item
    if there is one. With ``transpose`` a request's ``row`` is where its first element's column
    goes; those of a strip have the same.

    Parameters
    ----------
    config : ChipConfig
    opcode : Opcode
    command : mapping
    scratchpad : (rows, row bytes) ndarray of uint8
    """
    field = _Fields(command)
    if _is_illegal(config, opcode, field):
        yield Fault(Status.ILLEGAL_FIELD, 0)
        return
    if opcode is Opcode.LOAD and field["transpose"]:
        yield from _strips(config, field)
        return
    rows = {
        Opcode.LOAD: _load_rows,
        Opcode.GATHER: _gather_rows,
        Opcode.FILL: _fill_rows,
    }[opcode](config, field, scratchpad)
    for item in rows:
        if isinstance(item, Fault):
            yield item
            return
        for access in _packets(config, item):
            fault = _fault(config, access)
            yield fault or access
            if fault:
                return


def run_transfer(
    config: ChipConfig,
    opcode: Opcode,
    command: Mapping[str, int],
    read: Callable[[int, int], np.ndarray],
    scratchpad: np.ndarray,
) -> tuple[np.ndarray, Status, int]:
    """A command from start to end.

    Parameters
    ----------
    config : ChipConfig
    opcode : Opcode
    command : mapping
    read : callable
        ``read(address, length)`` gives that many bytes of memory, (length,) ndarray of uint8.
    scratchpad : (rows, row bytes) ndarray of uint8

    Returns
    -------
    scratchpad : (rows, row bytes) ndarray of uint8
        a new one.
    status : Status
    address : int
        what the end tells; 0 if the status is OK.
    """
    result, flit = scratchpad.copy(), config.flit_bytes
    if opcode is Opcode.LOAD and command.get("transpose"):
        return _transposed(config, _Fields(command), read, result)
    for access in accesses(config, opcode, command, scratchpad):
        if isinstance(access, Fault):
            return result, access.status, access.address
        count = -(-access.length // flit)
        line = np.zeros(count * flit, np.uint8)
        if access.value is None:
            line[: access.length] = read(access.address, access.length)
        else:
            word = np.frombuffer(access.value.to_bytes(4, "little"), np.uint8)
            line[: access.length] = np.resize(word, access.length)
        result[access.row : access.row + count] = line.reshape(count, flit)
    return result, Status.OK, 0


class _Fields(dict[str, int]):
    """Fields left out are zero."""

    def __missing__(self, name: str) -> int:
        return 0


def _is_illegal(config: ChipConfig, opcode: Opcode, field: _Fields) -> bool:
    if opcode is Opcode.FILL:
        return not field["rows"] or not field["columns"]
    if not field["rows"] or not field["row_bytes"]:
        return True
    if field["endpoint"] >= config.mesh.memory_endpoints:
        return True
    if opcode is Opcode.GATHER:
        return False
    size = (1 << field["transpose"]) >> 1
    walks = field["padded"] or field["more_1"] + field["more_2"] + field["more_3"]
    if walks and not config.tile.tensor_loads:
        return True
    if size and (not config.tile.transpose or walks or field["row_bytes"] % size):
        return True
    return bool(field["padded"]) and not (field["height"] and field["width"])


def _load_rows(config: ChipConfig, field: _Fields, scratchpad: np.ndarray) -> Iterator[Access]:
    """Memory rows, whole: those that follow each other without a gap are one."""
    space, flit = 1 << config.host.address_bits, config.flit_bytes
    rows, row_bytes, padded = field["rows"], field["row_bytes"], field["padded"]
    strides = (field["memory_stride"], field["local_stride"] * flit)
    if not padded and strides == (row_bytes, row_bytes):
        rows, row_bytes = 1, rows * row_bytes
    for i3 in range(field["more_3"] + 1):
        for i2 in range(field["more_2"] + 1):
            for i1 in range(field["more_1"] + 1):
                outer = (i1, i2, i3)
                start = field["memory_address"] + _travel(field, "memory_stride", outer)
                start = start % space if any(outer) or padded else start
                local = field["local_row"] + _travel(field, "local_stride", outer)
                y = field["pad_y"] + i1 * field["step_y"] + i3 * field["dilation_y"]
                for i in range(rows):
                    address = start + i * field["memory_stride"]
                    row = local + i * field["local_stride"]
                    x = field["pad_x"] + i * field["step_x"] + i2 * field["dilation_x"]
                    if not padded:
                        yield Access(address, row_bytes, row)
                    elif 0 <= y < field["height"] and 0 <= x < field["width"]:
                        yield Access(address % space, row_bytes, row)
                    else:
                        yield Access(0, row_bytes, row, field["pad_value"])


def _travel(field: _Fields, name: str, outer: tuple[int, int, int]) -> int:
    return sum(index * field[f"{name}_{loop}"] for loop, index in enumerate(outer, 1))


def _fill_rows(config: ChipConfig, field: _Fields, scratchpad: np.ndarray) -> Iterator[Access]:
    for i in range(field["rows"]):
        row = field["row"] + i * field["stride"]
        yield Access(0, field["columns"] * config.flit_bytes, row, field["value"])


def _gather_rows(
    config: ChipConfig, field: _Fields, scratchpad: np.ndarray
) -> Iterator[Access | Fault]:
    """Indices are read in front of their rows; so a fault comes after the rows before it."""
    per_row = config.flit_bytes // 4
    for i in range(field["rows"]):
        where = field["index_row"] + i // per_row
        if where >= config.tile.scratchpad_rows:
            yield Fault(Status.LOCAL_RANGE, where)
            return
        index = int(scratchpad[where].view("<u4")[i % per_row])
        if index >= field["limit"]:
            yield Fault(Status.INDEX, where)
            return
        yield Access(
            field["memory_address"] + index * field["memory_stride"],
            field["row_bytes"],
            field["local_row"] + i * field["local_stride"],
        )


def _strips(config: ChipConfig, field: _Fields) -> Iterator[Access | Fault]:
    """The requests of a transposing LOAD; all of it is checked before."""
    size = 1 << (field["transpose"] - 1)
    local_rows, space = config.tile.scratchpad_rows, 1 << config.host.address_bits
    elements, width = config.flit_bytes // size, config.transpose_columns * size
    rows, row_bytes, stride = field["rows"], field["row_bytes"], field["memory_stride"]
    columns, local, step = row_bytes // size, field["local_row"], field["local_stride"]
    if local + (columns - 1) * step + -(-rows // elements) > local_rows:
        yield Fault(Status.LOCAL_RANGE, max(local, local_rows))
        return
    if field["memory_address"] + (rows - 1) * stride + row_bytes > space:
        yield Fault(Status.WINDOW, space - 1)
        return
    for block in range(-(-rows // elements)):
        for offset in range(0, row_bytes, width):
            for row in range(block * elements, min((block + 1) * elements, rows)):
                yield Access(
                    field["memory_address"] + row * stride + offset,
                    min(width, row_bytes - offset),
                    local + offset // size * step + block,
                )


def _transposed(
    config: ChipConfig,
    field: _Fields,
    read: Callable[[int, int], np.ndarray],
    result: np.ndarray,
) -> tuple[np.ndarray, Status, int]:
    """The whole of a transposing LOAD, written into ``result``."""
    for access in accesses(config, Opcode.LOAD, field, result):
        if isinstance(access, Fault):
            return result, access.status, access.address
    size, flit = 1 << (field["transpose"] - 1), config.flit_bytes
    source = [
        read(field["memory_address"] + row * field["memory_stride"], field["row_bytes"])
        for row in range(field["rows"])
    ]
    elements = np.stack(source).reshape(field["rows"], -1, size)
    blocks = -(-field["rows"] * size // flit)
    for column in range(elements.shape[1]):
        line = np.zeros(blocks * flit, np.uint8)
        line[: field["rows"] * size] = elements[:, column].reshape(-1)
        first = field["local_row"] + column * field["local_stride"]
        result[first : first + blocks] = line.reshape(blocks, flit)
    return result, Status.OK, 0


def _packets(config: ChipConfig, row: Access) -> Iterator[Access]:
    """A row cut into pieces of the largest packet."""
    packet = config.mesh.max_packet_bytes
    for offset in range(0, row.length, packet):
        yield Access(
            row.address + offset,
            min(packet, row.length - offset),
            row.row + offset // config.flit_bytes,
            row.value,
        )


def _fault(config: ChipConfig, access: Access) -> Fault | None:
    """Why the access cannot be made."""
    local_rows, space = config.tile.scratchpad_rows, 1 << config.host.address_bits
    if access.row + -(-access.length // config.flit_bytes) > local_rows:
        return Fault(Status.LOCAL_RANGE, max(access.row, local_rows))
    if access.value is None and access.address + access.length > space:
        return Fault(Status.WINDOW, space - 1)
    return None
