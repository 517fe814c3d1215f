"""Commands as the models see them: fields taken from the layouts of ``weft_hw.isa``, never
retyped.
"""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

from amaranth.hdl import Shape
from amaranth.lib import data
from weft_hw import isa

__all__ = ["Command", "decode", "encode_record"]

#: A field's value, given all bits of the command.
_Reader = Callable[[int], Any]


def _layout(shape: Any) -> data.Layout | None:
    try:
        return data.Layout.cast(shape)
    except TypeError:
        return None


def _flatten(layout: Any, base: int = 0) -> Iterator[tuple[str, int, int]]:
    """(name, offset, width) of every plain field, nested structures opened."""
    for name, field in data.Layout.cast(layout):
        if _layout(field.shape) is not None:
            yield from _flatten(field.shape, base + field.offset)
        else:
            yield name, base + field.offset, Shape.cast(field.shape).width


def _reader(shape: Any, offset: int) -> _Reader:
    """Reads a value of ``shape`` at bit ``offset``: a structure as a namespace, an array as a
    tuple.
    """
    layout = _layout(shape)
    if isinstance(layout, data.ArrayLayout):
        items = [_reader(layout.elem_shape, offset + field.offset) for _, field in layout]
        return lambda word: tuple(item(word) for item in items)
    if layout is not None:
        named = [(name, _reader(field.shape, offset + field.offset)) for name, field in layout]
        return lambda word: SimpleNamespace(**{name: read(word) for name, read in named})
    plain = Shape.cast(shape)
    mask = (1 << plain.width) - 1
    if not plain.signed:
        return lambda word: word >> offset & mask
    sign = 1 << (plain.width - 1)
    return lambda word: ((word >> offset & mask) ^ sign) - sign


_HEADER = {name: (offset, width) for name, offset, width in _flatten(isa.CommandHeader)}
_BODIES = {
    opcode: [
        (name, _reader(field.shape, field.offset))
        for name, field in data.Layout.cast(layout)
        if name != "header"
    ]
    for opcode, layout in isa.COMMANDS.items()
}
_RECORD = {name: (offset, width) for name, offset, width in _flatten(isa.CompletionRecord)}
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
        for name, read in _BODIES[self.opcode]:
            setattr(self.fields, name, read(word))
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
