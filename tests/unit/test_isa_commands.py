"""Commands to bytes and back, through the hardware's own layouts."""

import re

import numpy as np
import pytest
from amaranth.lib import data
from weft.commands import FIELDS, as_array, layout_fields, pack, unpack, unpack_record
from weft_hw import isa
from weft_hw.isa import COMMAND_BYTES, COMMANDS, ENGINE_OF, CompletionRecord, Engine, Opcode


@pytest.mark.parametrize("opcode", list(Opcode))
def test_every_field_goes_there_and_back(opcode):
    """Two fields overlap, or one is cut off."""
    rng = np.random.default_rng(opcode.value)
    for _ in range(20):
        values = {
            field.name: int(rng.integers(field.low, min(field.high, 2**62), endpoint=True))
            for field in FIELDS[opcode].values()
            if field.name not in ("opcode", "tile_x", "tile_y")
        }
        decoded = unpack(pack(opcode, tile=(3, 15), **values))
        assert decoded.opcode is opcode
        assert decoded.tile == (3, 15)
        assert {name: decoded.fields[name] for name in values} == values


def _nested(name: str, value: object) -> dict[str, object]:
    """A field by the name that the driver gives it, as the layout's own nest."""
    if found := re.fullmatch(r"stream(\d)_(\w+)", name):
        return {"streams": {int(found[1]): {found[2]: value}}}
    if found := re.fullmatch(r"scalar(\d)", name):
        return {"scalars": {int(found[1]): value}}
    return {name: value}


@pytest.mark.parametrize("opcode", list(Opcode))
def test_agrees_with_the_layout(opcode):
    """The driver's idea of a field's place differs from the hardware's."""
    layout = data.Layout.cast(COMMANDS[opcode])
    for field in FIELDS[opcode].values():
        if field.name == "opcode":
            continue
        value = list(field.enum)[-1].value if field.enum else field.high
        header = field.name in layout_fields(isa.CommandHeader)
        constant = layout.const(
            {
                "header": {"opcode": opcode, **({field.name: value} if header else {})},
                **(
                    {}
                    if header
                    else _nested(field.name, field.enum(value) if field.enum else value)
                ),
            }
        )
        tile = {"tile_x": (value, 0), "tile_y": (0, value)}.get(field.name)
        packed = pack(opcode, tile=tile) if tile else pack(opcode, **{field.name: value})
        assert int.from_bytes(packed, "little") == constant.as_value().value


def test_layouts_are_there():
    """A layout became empty, as annotations that are strings make them."""
    for layout in COMMANDS.values():
        assert 64 < data.Layout.cast(layout).size <= 8 * COMMAND_BYTES
    assert data.Layout.cast(CompletionRecord).size == 8 * 32


def test_transfers_begin_alike():
    """One decoder reads a LOAD, a STORE and a GATHER: a field of one of them has moved."""
    load = list(data.Layout.cast(COMMANDS[Opcode.LOAD]))
    shared = [name for name, _ in load].index("endpoint") + 1
    for opcode in (Opcode.STORE, Opcode.GATHER):
        assert list(data.Layout.cast(COMMANDS[opcode]))[:shared] == load[:shared]


def test_engines():
    """A NOP is thought to run in the wrong engine."""
    assert unpack(pack(Opcode.NOP, engine=Engine.STORE)).engine is Engine.STORE
    assert unpack(pack(Opcode.FENCE)).engine is None
    for opcode, engine in ENGINE_OF.items():
        assert unpack(pack(opcode)).engine is engine


@pytest.mark.parametrize(
    ("fields", "kind", "message"),
    [
        ({"m": 65536}, ValueError, "m must be between 0 and 65535, not 65536"),
        ({"m": -1}, ValueError, "m must be between 0 and 65535, not -1"),
        ({"m": 1.0}, TypeError, r"m must be an integer, not 1.0"),
        ({"rows": 1}, TypeError, "MATMUL has no field 'rows'; its fields are opcode, tile_x"),
        ({"tile": (16, 0)}, ValueError, "tile_x must be between 0 and 15, not 16"),
        ({"wait": 1 << 16}, ValueError, "wait must be between 0 and 65535"),
    ],
)
def test_ranges(fields, kind, message):
    """A value that does not fit spills into the next field."""
    with pytest.raises(kind, match=message):
        pack(Opcode.MATMUL, **fields)


def test_signed_fields():
    """A negative zero point becomes a large positive one."""
    assert unpack(pack(Opcode.VECTOR, zero_point=-128)).fields["zero_point"] == -128
    with pytest.raises(ValueError, match="zero_point must be between -128 and 127, not 128"):
        pack(Opcode.VECTOR, zero_point=128)


def test_unknown_opcode():
    """Bytes that are no command cannot be listed."""
    decoded = unpack(bytes([99, 0x21]) + bytes(62))
    assert decoded.opcode == 99
    assert decoded.tile == (1, 2)
    assert decoded.engine is None


def test_arrays_of_commands():
    """Commands given as bytes, lists or arrays give different programs."""
    commands = [pack(Opcode.NOP), pack(Opcode.FENCE, sequence=7)]
    array = as_array(commands)
    assert array.shape == (2, COMMAND_BYTES)
    np.testing.assert_array_equal(as_array(b"".join(commands)), array)
    assert as_array(array) is array
    assert as_array([]).shape == (0, COMMAND_BYTES)
    with pytest.raises(ValueError, match="multiple of 64 bytes, not 63 bytes"):
        as_array(bytes(63))
    with pytest.raises(ValueError, match=r"\(n, 64\) array of uint8, not \(4,\) of int8"):
        as_array(np.zeros(4, np.int8))
    with pytest.raises(ValueError, match="a command must have 64 bytes, not 3"):
        unpack(b"abc")


def test_completion_record():
    """The driver reads a record's fields at the wrong place."""
    record = data.Layout.cast(CompletionRecord).const({"sequence": 5, "index": 9, "cycle": 1 << 40})
    raw = record.as_value().value.to_bytes(32, "little")
    found = unpack_record(raw)
    assert (found["sequence"], found["index"], found["cycle"]) == (5, 9, 1 << 40)
