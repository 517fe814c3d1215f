"""Commands as the models see them: fields taken from the layouts of ``weft_hw.isa``, never
retyped.
"""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from amaranth.hdl import Shape
from amaranth.lib import data
from weft_hw import isa

__all__ = ["Command", "decode", "encode_record"]


def _flatten(layout: Any, base: int = 0) -> Iterator[tuple[str, int, int, bool]]:
    """(name, offset, width, signed) of every plain field, nested structures opened."""
    for name, field in data.Layout.cast(layout):
        try:
            nested = data.Layout.cast(field.shape)
        except TypeError:
            shape = Shape.cast(field.shape)
            yield name, base + field.offset, shape.width, shape.signed
        else:
            yield from _flatten(nested, base + field.offset)


_HEADER = {name: (offset, width) for name, offset, width, _ in _flatten(isa.CommandHeader)}
_BODIES = {
    opcode: [
        (name, offset, (1 << width) - 1, 1 << (width - 1) if signed else 0)
        for name, offset, width, signed in _flatten(layout)
        if name not in _HEADER
    ]
    for opcode, layout in isa.COMMANDS.items()
}
_RECORD = {name: (offset, width) for name, offset, width, _ in _flatten(isa.CompletionRecord)}
_OPCODES = {opcode.value: opcode for opcode in isa.Opcode}


class Command:
    """One command: header, body fields in ``fields`` and its free-running ring ``index``.

    ``opcode`` is None where the byte names no command; ``engine`` is None for those and for FENCE.
    """

    __slots__ = ("engine", "fields", "index", "opcode", "signal", "tile_x", "tile_y", "wait")

    def __init__(self, word: int, index: int) -> None:
        def header(name: str) -> int:
            offset, width = _HEADER[name]
            return word >> offset & (1 << width) - 1

        self.index = index
        self.opcode = _OPCODES.get(header("opcode"))
        self.tile_x = header("tile_x")
        self.tile_y = header("tile_y")
        self.wait = header("wait")
        self.signal = header("signal")
        self.fields = SimpleNamespace()
        self.engine: isa.Engine | None = None
        if self.opcode is None:
            return
        for name, offset, mask, sign in _BODIES[self.opcode]:
            value = word >> offset & mask
            setattr(self.fields, name, value - 2 * (value & sign))
        if self.opcode is isa.Opcode.NOP:
            self.engine = isa.Engine(self.fields.engine)
        else:
            self.engine = isa.ENGINE_OF.get(self.opcode)


def decode(raw: bytes, index: int) -> Command:
    """The command in 64 bytes of the ring."""
    return Command(int.from_bytes(raw, "little"), index)


def encode_record(**values: int) -> bytes:
    """The bytes of a ``CompletionRecord`` with those fields; fields not named are zero."""
    word = 0
    for name, value in values.items():
        offset, width = _RECORD[name]
        word |= (value & (1 << width) - 1) << offset
    return word.to_bytes(data.Layout.cast(isa.CompletionRecord).size // 8, "little")
