"""Commands as bytes: packing and unpacking through the layouts of ``weft_hw.isa``.

Field offsets are read from the layouts once, when this module is imported; nothing here knows a bit
position.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from amaranth.hdl import Shape
from amaranth.lib import data
from weft_hw.isa import (
    COMMAND_BYTES,
    COMMANDS,
    ENGINE_OF,
    CommandHeader,
    CompletionRecord,
    Engine,
    Opcode,
)

__all__ = [
    "FIELDS",
    "Command",
    "Field",
    "as_array",
    "engine_of",
    "layout_fields",
    "pack",
    "unpack",
    "unpack_record",
    "with_starts",
]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a layout: bit ``offset`` from the least significant bit, ``width`` bits."""

    name: str
    offset: int
    width: int
    signed: bool
    enum: type[Enum] | None

    @property
    def low(self) -> int:
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        return (1 << (self.width - self.signed)) - 1

    def insert(self, value: object) -> int:
        """``value`` as bits at the field's place.

        Raises
        ------
        TypeError, ValueError
            if it is not an integer (or a member of the field's enum), or does not fit.
        """
        if self.enum is not None and isinstance(value, self.enum):
            value = value.value
        if isinstance(value, bool | np.bool_ | np.integer):
            value = int(value)
        if not isinstance(value, int):
            raise TypeError(f"{self.name} must be an integer, not {value!r}")
        if not self.low <= value <= self.high:
            raise ValueError(f"{self.name} must be between {self.low} and {self.high}, not {value}")
        return (value & ((1 << self.width) - 1)) << self.offset

    def extract(self, bits: int) -> int:
        """The field's value in ``bits``, as an integer."""
        value = bits >> self.offset & ((1 << self.width) - 1)
        return value - (1 << self.width) if self.signed and value > self.high else value


def layout_fields(layout: object, base: int = 0, prefix: str = "") -> dict[str, Field]:
    """The fields of a layout, flattened, by rising offset. Reserved bits are left out.

    Fields of a nested structure keep their names; those of an array get the array's name in the
    singular and their place in it: ``scalars[2]`` is ``scalar2``, ``streams[0].row`` is
    ``stream0_row``.
    """
    found: dict[str, Field] = {}
    for name, field in data.Layout.cast(layout):
        offset = base + field.offset
        if isinstance(field.shape, data.ArrayLayout):
            found |= _array_fields(field.shape, offset, f"{prefix}{str(name).removesuffix('s')}")
        elif _is_layout(field.shape):
            found |= layout_fields(field.shape, offset, prefix)
        elif not str(name).startswith("reserved"):
            found[f"{prefix}{name}"] = _field(f"{prefix}{name}", offset, field.shape)
    return found


def _is_layout(shape: object) -> bool:
    nested = isinstance(shape, type) and issubclass(shape, data.Struct)
    return nested or isinstance(shape, data.Layout)


def _array_fields(layout: data.ArrayLayout, base: int, name: str) -> dict[str, Field]:
    found: dict[str, Field] = {}
    for number, field in layout:
        offset = base + field.offset
        if _is_layout(field.shape):
            found |= layout_fields(field.shape, offset, f"{name}{number}_")
        else:
            found[f"{name}{number}"] = _field(f"{name}{number}", offset, field.shape)
    return found


def _field(name: str, offset: int, shape: object) -> Field:
    cast = Shape.cast(shape)
    enum = shape if isinstance(shape, type) and issubclass(shape, Enum) else None
    return Field(name, offset, cast.width, cast.signed, enum)


#: Opcode -> name -> field of its command, the header's fields first.
FIELDS: dict[Opcode, dict[str, Field]] = {
    opcode: layout_fields(layout) for opcode, layout in COMMANDS.items()
}
_HEADER = layout_fields(CommandHeader)
_RECORD = layout_fields(CompletionRecord)


@dataclass(frozen=True, slots=True)
class Command:
    """A decoded command. ``opcode`` is an ``int`` if it names no command; then only header fields
    are there.
    """

    opcode: Opcode | int
    fields: dict[str, int]

    @property
    def tile(self) -> tuple[int, int]:
        return self.fields["tile_x"], self.fields["tile_y"]

    @property
    def engine(self) -> Engine | None:
        """Who runs it; None for the control node."""
        return engine_of(self.opcode, self.fields)


def engine_of(opcode: Opcode | int, fields: dict[str, int]) -> Engine | None:
    """The engine that runs a command; None for the control node (FENCE, unknown opcodes)."""
    if opcode is Opcode.NOP:
        return Engine(fields["engine"])
    return ENGINE_OF.get(opcode) if isinstance(opcode, Opcode) else None


def pack(opcode: Opcode, *, tile: tuple[int, int] = (0, 0), **fields: object) -> bytes:
    """One command of 64 bytes; fields not named are zero.

    Raises
    ------
    TypeError, ValueError
        for an unknown field, a value of the wrong kind or one that does not fit.
    """
    known = FIELDS[opcode]
    bits = known["opcode"].insert(opcode)
    bits |= known["tile_x"].insert(tile[0]) | known["tile_y"].insert(tile[1])
    for name, value in fields.items():
        if name not in known or name == "opcode":
            raise TypeError(
                f"{opcode.name} has no field {name!r}; its fields are {', '.join(known)}"
            )
        bits |= known[name].insert(value)
    return bits.to_bytes(COMMAND_BYTES, "little")


def unpack(command: bytes | np.ndarray) -> Command:
    """The command in 64 bytes.

    Raises
    ------
    ValueError
        if there are not 64 bytes.
    """
    raw = bytes(command)
    if len(raw) != COMMAND_BYTES:
        raise ValueError(f"a command must have {COMMAND_BYTES} bytes, not {len(raw)}")
    bits = int.from_bytes(raw, "little")
    number = _HEADER["opcode"].extract(bits)
    opcode: Opcode | int
    try:
        opcode = Opcode(number)
    except ValueError:
        opcode = number
    known = FIELDS[opcode] if isinstance(opcode, Opcode) else _HEADER
    return Command(
        opcode, {name: field.extract(bits) for name, field in known.items() if name != "opcode"}
    )


def unpack_record(record: bytes | np.ndarray) -> dict[str, int]:
    """The fields of a completion record of 32 bytes."""
    bits = int.from_bytes(bytes(record), "little")
    return {name: field.extract(bits) for name, field in _RECORD.items()}


def as_array(commands: bytes | Iterable[bytes] | np.ndarray) -> np.ndarray:
    """Commands as an (n, 64) array of uint8.

    Raises
    ------
    TypeError, ValueError
        if they are not 64-byte commands.
    """
    if isinstance(commands, np.ndarray):
        if commands.dtype != np.uint8 or commands.ndim != 2 or commands.shape[1] != COMMAND_BYTES:
            raise ValueError(
                f"commands must be an (n, {COMMAND_BYTES}) array of uint8, "
                f"not {commands.shape} of {commands.dtype}"
            )
        return commands
    if isinstance(commands, bytes | bytearray):
        joined = bytes(commands)
    else:
        joined = b"".join(commands)
    if len(joined) % COMMAND_BYTES:
        raise ValueError(
            f"commands must be a multiple of {COMMAND_BYTES} bytes, not {len(joined)} bytes"
        )
    return np.frombuffer(joined, dtype=np.uint8).reshape(-1, COMMAND_BYTES)


def with_starts(commands: np.ndarray, starts: Sequence[int]) -> np.ndarray:
    """A copy of commands (n, 64) in which every RUN, whose start is the number of a program, begins
    at that program's entry.
    """
    field = FIELDS[Opcode.RUN]["start"]
    at = field.offset // 8
    rows = commands.copy()
    runs = rows[:, 0] == Opcode.RUN.value
    size = field.width // 8
    numbers = rows[runs, at : at + size].copy().view("<u2")[:, 0]
    entries = np.array(starts, "<u2")[numbers]
    rows[runs, at : at + size] = entries[:, None].view(np.uint8)
    return rows
