"""PROGRAM and RUN on the model: the golden interpreter's bits through the whole command path."""

import numpy as np
import pytest
from amaranth.lib import data
from model_rig import ModelRig
from weft.commands import pack
from weft_hw.formats.table import Format
from weft_hw.isa import Engine, Opcode, Status
from weft_hw.presets import preset
from weft_hw.vector.microcode import Instruction, Op, Source

MICRO = preset("micro").tile


def word(op: Op, **fields: object) -> int:
    """The bits of an instruction."""
    values = {
        name: int(getattr(value, "value", value))  # enums are encoded by their value
        for name, value in {"op": op, **fields}.items()
    }
    layout = data.Layout.cast(Instruction)
    return sum(values[name] << field.offset for name, field in layout if name in values)


#: d = a * scalar 0 + a, stored as bf16, for every block of a stream of fp32
SCALE = [
    word(Op.LOOP),
    word(Op.LOAD, d=1, stream=0),
    word(Op.MULTIPLY, d=2, a=1, b=0, source=Source.SCALAR),
    word(Op.ADD, d=2, a=2, b=1),
    word(Op.STORE, a=2, stream=1),
    word(Op.NEXT),
    word(Op.END),
]


def bits(value: float) -> int:
    return int(np.float32(value).view(np.uint32))


def stream(number: int, **fields: object) -> dict[str, object]:
    return {f"stream{number}_{name}": value for name, value in fields.items()}


def program(rig: ModelRig, words: list[int], row: int = 2000, start: int = 3) -> bytes:
    """Puts instructions into the scratchpad; the command that loads them."""
    raw = np.array(words, np.uint64).view(np.uint8)
    rig.tile.scratchpad.data[row:].reshape(-1)[: raw.size] = raw
    return pack(Opcode.PROGRAM, row=row, count=len(words), start=start)


@pytest.mark.parametrize(("m", "n"), [(1, 1), (8, 8), (19, 21)])
def test_a_program_runs(m: int, n: int) -> None:
    rig = ModelRig("micro")
    nb = -(-n // 8)
    values = np.random.default_rng(m).standard_normal((m, nb * 8)).astype(np.float32)
    pad = rig.tile.scratchpad.data
    pad[:] = 0x77
    # a vector of fp32 takes two rows
    pad[10 : 10 + m * nb * 2] = values.view(np.uint8).reshape(-1, MICRO.row_bytes)
    rig.run(
        program(rig, SCALE),
        pack(
            Opcode.RUN, m=m, n=n, start=3, scalar0=bits(0.5),
            **stream(0, row=10, row_stride=2 * nb, block_stride=2, format=Format.FP32),
            **stream(1, row=1000, row_stride=nb, block_stride=1, format=Format.BF16),
        ),
    )  # fmt: skip
    want = values * np.float32(0.5) + values
    want[:, n:] = 0
    got = pad[1000 : 1000 + m * nb].reshape(-1).view(np.uint16).astype(np.uint32) << 16
    error = np.abs(got.view(np.float32).reshape(m, -1) - want)
    assert (error <= np.abs(want) * 2.0**-8).all()
    assert (pad[1000 + m * nb] == 0x77).all(), "nothing behind"


def test_accumulators_and_registers() -> None:
    """A stream of accumulators; what registers hold stays from command to command."""
    rig = ModelRig("micro")
    acc = rig.tile.accumulator.data
    acc[:8] = np.arange(64).reshape(8, 8)
    words = [
        word(Op.LOAD, d=5, stream=0, integer=1),
        word(Op.END),
        word(Op.INT_ADD, d=5, a=5, b=0, source=Source.IMMEDIATE, immediate=7),
        word(Op.STORE, a=5, stream=1, integer=1),
        word(Op.END),
    ]
    common = {
        **stream(0, row=0, row_stride=1, format=Format.INT32, accumulator=1),
        **stream(1, row=100, row_stride=2, format=Format.INT32),
    }
    rig.run(
        program(rig, words),
        pack(Opcode.RUN, m=8, n=8, start=3, **common),
        pack(Opcode.RUN, m=8, n=8, start=5, **common),
    )
    got = rig.tile.scratchpad.data[100:116].view(np.int32).reshape(8, 8)
    np.testing.assert_array_equal(got, np.arange(64).reshape(8, 8) + 7)


def test_commands_of_both_units_take_turns() -> None:
    rig = ModelRig("micro")
    vector = pack(Opcode.VECTOR, m=9, n=8, acc_stride=9, out_stride=1, out_row=9, scale_row=500)
    run = pack(
        Opcode.RUN, m=5, n=8, start=3,
        **stream(0, row=10, row_stride=2, format=Format.FP32),
        **stream(1, row=1000, row_stride=1, format=Format.BF16),
    )  # fmt: skip
    rig.run(program(rig, SCALE), run, vector, vector, run, run)
    events = [rig.events(Engine.VECTOR, index) for index in range(6)]
    for before, (begin, _) in zip((0, 1, 3, 4), (events[i] for i in (1, 2, 4, 5)), strict=True):
        assert begin > events[before][1], "the one before has ended"
    assert events[3][0] < events[2][1], "commands of one unit overlap"


LEGAL = stream(0, row=10, row_stride=2, format=Format.FP32) | stream(
    1, row=1000, row_stride=1, format=Format.BF16
)
FAULTS = {
    "no rows": ({"m": 0}, Status.ILLEGAL_FIELD),
    "no such format": (stream(2, format=9), Status.ILLEGAL_FIELD),
    "bf16 accumulators": (stream(1, format=Format.BF16, accumulator=1), Status.ILLEGAL_FIELD),
    "sums are read only": (
        stream(1, format=Format.FP32, accumulator=1),
        Status.ILLEGAL_FIELD,
    ),
    "no program": ({"start": 255}, Status.ILLEGAL_INSTRUCTION),
    "beyond the store": ({"start": 256}, Status.ILLEGAL_INSTRUCTION),
    "NEXT without LOOP": ({"start": 4}, Status.ILLEGAL_INSTRUCTION),
    "a vector beyond": (stream(0, row=4090, format=Format.FP32), Status.LOCAL_RANGE),
}


@pytest.mark.parametrize("case", list(FAULTS))
def test_a_run_is_refused(case: str) -> None:
    fields, status = FAULTS[case]
    rig = ModelRig("micro")
    rig.run(program(rig, SCALE))
    rig.tile.vector.processor.store[255] = word(Op.MOVE)
    run = pack(Opcode.RUN, **{"m": 19, "n": 16, "start": 3, **LEGAL, **fields})
    error = rig.fail(pack(Opcode.NOP, engine=2), run, pack(Opcode.NOP, engine=2))
    assert error["STATUS"] == status.value
    rig.reset_queue()
    rig.run(pack(Opcode.RUN, m=1, n=1, start=3, **LEGAL))


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"count": 0}, Status.ILLEGAL_FIELD),
        ({"count": 4, "start": 253}, Status.ILLEGAL_INSTRUCTION),
        ({"count": 3, "row": 4095}, Status.LOCAL_RANGE),
    ],
)
def test_a_program_is_refused(fields: dict[str, int], status: Status) -> None:
    rig = ModelRig("micro")
    assert rig.fail(pack(Opcode.PROGRAM, **fields))["STATUS"] == status.value


def test_int8_chips_have_no_processor() -> None:
    rig = ModelRig("nano")
    for opcode in (Opcode.RUN, Opcode.PROGRAM):
        assert rig.fail(pack(opcode))["STATUS"] == Status.ILLEGAL_OPCODE.value
        rig.reset_queue()


def test_an_abort_ends_a_run() -> None:
    rig = ModelRig("micro")
    rig.run(program(rig, SCALE))
    run = pack(Opcode.RUN, m=2000, n=8, start=3, **LEGAL)
    rig.submit(run, run)
    rig.target.run(400)
    assert rig.read("IN_FLIGHT") == 2
    rig.reset_queue()
    rig.run(pack(Opcode.RUN, m=1, n=1, start=3, **LEGAL))
