"""The assembler: what it writes, what it refuses, how it prints."""

import numpy as np
import pytest
from weft.microcode import Assembler, MicrocodeError, Word, decode, emulate, encode, listing
from weft_hw.vector.microcode import Fill, Op, Source


def _scale_and_add() -> Assembler:
    asm = Assembler("scale and add", lanes=8)
    x, y, out = asm.source("x"), asm.source("y"), asm.target("out")
    alpha = asm.scalar("alpha")
    with asm.loop():
        asm.store(out, asm.load(x) * alpha + asm.load(y))
    return asm


def test_listing() -> None:
    """Names, registers, immediates as written."""
    asm = Assembler("example", lanes=8)
    x, out = asm.source("x"), asm.target("out")
    total = asm.constant(0.0)
    with asm.loop():
        v = asm.load(x, fill=Fill.ONE)
        mask = asm.less(v, 0.5)
        asm.set(total, total + asm.select(mask, v, 2.0))
    total = asm.across(Op.MAXIMUM, total)
    asm.store(out, 1.0 - asm.shift_left(total, 3), saturate=True)
    assert asm.build().listing().splitlines() == [
        "example: 15 instructions, 3 registers",
        "  stream0 = x",
        "  stream1 = out",
        "   0  move r0, 1",
        "   1  move r1, 0",
        "   2  loop",
        "   3    load r2, stream0, fill one",
        "   4    less r2, 0.5",
        "   5    select r2, r2, 2",
        "   6    add r1, r1, r2",
        "   7  next",
        "   8  maximum r1, r1, r1^1",
        "   9  maximum r1, r1, r1^2",
        "  10  maximum r1, r1, r1^4",
        "  11  shift_left r1, r1, 0x3",
        "  12  subtract r0, r0, r1",
        "  13  store.sat stream1, r0",
        "  14  end",
    ]


def test_program_describes_itself() -> None:
    program = _scale_and_add().build()
    assert program.streams == ("x", "y", "out")
    assert program.written == {"out"}
    assert program.scalars == ("alpha",)
    assert (len(program), program.once, program.per_block, program.registers) == (8, 0, 5, 2)
    assert program.row_cycles(9, 17, 8) == 16 * 3 * 5
    assert len(program.to_bytes()) == 8 * len(program)


def test_emulation() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 5, 13)).astype(np.float32)
    got = emulate(
        _scale_and_add().build(), {"x": x, "y": y[0]}, {"out": np.float32}, scalars={"alpha": 0.5}
    )
    np.testing.assert_array_equal(got["out"], x * np.float32(0.5) + y[0])


def test_emulation_wants_every_stream() -> None:
    x = np.zeros((1, 8), np.float32)
    with pytest.raises(ValueError, match="scale and add must be given alpha, y too"):
        emulate(_scale_and_add().build(), {"x": x}, {"out": np.float32})


def test_words_survive() -> None:
    words = [
        Word(op=Op.ADD, d=15, a=3, b=7, source=Source.PERMUTED, permute_bit=6),
        Word(op=Op.LOAD, d=1, stream=3, fill=Fill.PLUS_INFINITY, integer=1),
        Word(op=Op.STORE, a=9, stream=2, saturate=1),
        Word(op=Op.MOVE, d=2, source=Source.IMMEDIATE, immediate=0xDEADBEEF),
        Word(op=Op.END),
    ]
    assert decode(encode(words)) == words
    assert listing(encode(words), 100).splitlines()[0] == " 100  add r15, r3, r7^64"


def test_word_that_is_no_instruction() -> None:
    with pytest.raises(MicrocodeError, match=r"entry 1 must hold an instruction, not 0x0+3f"):
        decode(np.array([0, 0x3F], np.uint64))


def test_field_that_does_not_fit() -> None:
    with pytest.raises(MicrocodeError, match="d must be between 0 and 15, not 16"):
        encode([Word(op=Op.MOVE, d=16)])


def test_registers_are_used_again() -> None:
    """A chain needs one register, however long it is."""
    asm = Assembler("chain")
    x, out = asm.source("x"), asm.target("out")
    v = asm.load(x)
    for _ in range(50):
        v = v + 1.0
    asm.store(out, v)
    assert asm.build().registers == 1


def test_values_from_before_a_loop_last_through_it() -> None:
    """A register used in a loop must not be given away after its last use in the text."""
    asm = Assembler("kept")
    x, out = asm.source("x"), asm.target("out")
    base = asm.load(x) * 3.0
    with asm.loop():
        v = asm.load(x) + base
        asm.store(out, v * v)
    x_in = np.arange(48, dtype=np.float32).reshape(2, 24)
    got = emulate(asm.build(), {"x": x_in}, {"out": np.float32}, lanes=8)["out"]
    want = x_in + np.tile(3 * x_in[:, :8], 3)
    np.testing.assert_array_equal(got, want * want)


def test_variables_carry_over_rounds() -> None:
    asm = Assembler("sums", lanes=8)
    x, out = asm.source("x"), asm.target("out")
    total = asm.constant(0)
    with asm.loop():
        asm.set(total, asm.int_add(total, asm.load(x, integer=True)))
        asm.store(out, total, integer=True)
    x_in = np.arange(72, dtype=np.int32).reshape(3, 24)
    got = emulate(asm.build(), {"x": x_in}, {"out": np.int32})["out"]
    np.testing.assert_array_equal(got, x_in.reshape(3, 3, 8).cumsum(axis=1).reshape(3, 24))


def test_variable_set_from_elsewhere_is_moved() -> None:
    asm = Assembler("swap")
    x, y, out = asm.source("x"), asm.source("y"), asm.target("out")
    first, second = asm.load(x), asm.load(y)
    asm.set(second, first)
    asm.set(first, 7.0)
    asm.store(out, second * 2.0 + first)
    x_in, y_in = np.full((1, 8), 3, np.float32), np.zeros((1, 8), np.float32)
    got = emulate(asm.build(), {"x": x_in, "y": y_in}, {"out": np.float32}, lanes=8)["out"]
    np.testing.assert_array_equal(got, 13)


def _refused(message: str):
    return pytest.raises(MicrocodeError, match=message)


def test_too_long() -> None:
    asm = Assembler("long", entries=16)
    x, out = asm.source("x"), asm.target("out")
    v = asm.load(x)
    for _ in range(13):
        v = v + 1.0
    asm.store(out, v)
    assert len(asm.build()) == 16
    asm.store(out, v)
    with _refused("long: a program must have at most 16 instructions, not 17"):
        asm.build()


def test_too_many_registers() -> None:
    asm = Assembler("wide")
    x, out = asm.source("x"), asm.target("out")
    values = [asm.load(x) for _ in range(17)]
    for value in values:
        asm.store(out, value)
    with _refused("wide: a program must keep at most 16 values at once, but instruction 16"):
        asm.build()


def test_nested_loops() -> None:
    asm = Assembler("nest")
    with asm.loop():
        asm.constant(1.0)
        with _refused("nest: loops must not be nested"), asm.loop():
            asm.constant(1.0)


def test_empty_loop() -> None:
    asm = Assembler("empty")
    with _refused("empty: a loop must hold an instruction"), asm.loop():
        pass


def test_open_loop() -> None:
    asm = Assembler("open")
    out = asm.target("out")
    with asm.loop():
        asm.store(out, asm.constant(1.0))
        with _refused("open: a loop must end before the program does"):
            asm.build()


def test_nothing_stored() -> None:
    with _refused("nothing: a program must store something"):
        Assembler("nothing").build()


def test_values_of_another_program() -> None:
    one, other = Assembler("one"), Assembler("other")
    value = one.constant(1.0)
    with _refused("other: an operand must belong to this program"):
        other.add(other.constant(2.0), value)
    with _refused("other: an operand must belong to this program"):
        other.load(one.source("x"))


def test_streams_and_scalars_are_four() -> None:
    asm = Assembler("many")
    for number in range(4):
        asm.source(f"x{number}")
        asm.scalar(f"s{number}")
    with _refused("many: a program must have at most 4 streams, not also 'out'"):
        asm.target("out")
    with _refused("many: a program must have at most 4 scalars, not also 'more'"):
        asm.scalar("more")


def test_names_are_their_own() -> None:
    asm = Assembler("twice")
    asm.source("x")
    with _refused("twice: a stream's name must be its own, but 'x' is taken"):
        asm.target("x")


def test_sources_are_not_stored_to() -> None:
    asm = Assembler("wrong")
    with _refused("wrong: stream 'x' must be a target to be stored to"):
        asm.store(asm.source("x"), asm.constant(1.0))


def test_old_mask() -> None:
    asm = Assembler("mask")
    v = asm.constant(1.0)
    old = asm.less(v, 0.0)
    asm.less(v, 1.0)
    with _refused("mask: select must use the last comparison"):
        asm.select(old, v, 0.0)
    before = asm.less(v, 0.0)
    with asm.loop():
        asm.set(v, v + 1.0)
        with _refused("mask: select must use the last comparison"):
            asm.select(before, v, 0.0)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (1.5, "an operand of an integer operation must be whole, not 1.5"),
        (2**32, "an immediate must fit 32 bits, not 4294967296"),
        ("one", "an operand must be a value, a scalar or a number, not 'one'"),
        (True, "an operand must be a value, a scalar or a number, not True"),
    ],
)
def test_operands_of_integer_operations(number: object, message: str) -> None:
    asm = Assembler("operand")
    with _refused(f"operand: {message}"):
        asm.int_add(asm.constant(0), number)


def test_reductions_need_lanes() -> None:
    asm = Assembler("lanes")
    with _refused("lanes: a reduction needs lanes"):
        asm.across(Op.ADD, asm.constant(1.0))
    with _refused(r"lanes: bit 0 of a lane's number must be below lanes \(None\)"):
        asm.permuted(Op.ADD, asm.constant(1.0), asm.constant(1.0), 0)
