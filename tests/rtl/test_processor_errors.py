"""The processor's errors, each where and when the golden has it, and abort."""

from dataclasses import replace
from typing import Any

import cocotb
import numpy as np
import pytest
from processor_programs import initialise, random_program, random_run
from processor_rig import Rig, run_processor, run_word
from weft.microcode import Word
from weft_hw.formats.table import Format, units_per_row, units_per_vector
from weft_hw.isa import Status
from weft_hw.vector.microcode import Op, Source
from weft_sim.golden.streams import Stream


def put_out_of_range(rig: Rig, f: dict[str, Any]) -> None:
    """Moves one stream so that it leaves its memory somewhere: just, in the middle, or by far."""
    index = int(rig.rng.integers(len(f["streams"])))
    stream, tile = f["streams"][index], rig.tile
    blocks = -(-f["n"] // tile.array_cols)
    if stream.accumulator:
        units, vector = tile.accumulator_rows, 1
    else:
        units = tile.scratchpad_rows * units_per_row(tile, stream.format)
        vector = units_per_vector(tile, stream.format)
    kind = rig.rng.random()
    if kind < 0.5:
        # the last vector begins inside and ends beyond, or begins just beyond; or the first is
        # just below the beginning
        corners = [
            i * stream.row_stride + j * stream.block_stride
            for i in (0, f["m"] - 1)
            for j in (0, blocks - 1)
        ]
        last = units - vector - max(corners) + int(rig.rng.integers(1, vector + 1))
        first = -min(corners) - 1
        row = first if rig.rng.random() < 0.3 and first >= 0 else last
        stream = replace(stream, row=row)
    elif kind < 0.7:
        stream = replace(stream, row_stride=int(rig.rng.integers(-(2**15), 2**15)))
    elif kind < 0.9:
        stream = replace(stream, block_stride=int(rig.rng.integers(-(2**15), 2**15)))
    else:
        stream = replace(stream, row=int(rig.rng.integers(2**23, 2**24)))
    f["streams"][index] = stream


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(stalls=[0.0, 0.5])
async def vectors_outside_a_memory_end_a_program(dut, stalls):
    """An access beyond an end; something left out that comes before the error, or done after it."""
    rig = Rig(dut, stalls=stalls)
    await rig.reset()
    await rig.fill_store()
    ranges = 0
    for _ in range(100):
        f = random_run(rig)
        program = random_program(rig.rng, rig.tile.array_cols, f["streams"], size=20)
        put_out_of_range(rig, f)
        await rig.load(program)
        f["start"] = 0
        ranges += rig.golden(f)[0].status is Status.LOCAL_RANGE
        await rig.check(f)
    assert ranges > 20
    await rig.quiet()


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def malformed_programs_end_where_they_are(dut):
    """An operation there is not that does something; a loop that never ends; a wrong entry."""
    rig = Rig(dut)
    await rig.reset()
    await rig.fill_store()
    f = {**random_run(rig, m=19), "streams": [Stream(0, 8, 4, Format.FP32)], "start": 0}
    entries, lanes = rig.tile.microprogram_entries, rig.tile.array_cols
    store = Word(op=Op.STORE, a=3, stream=0)
    loop, end, last = Word(op=Op.LOOP), Word(op=Op.END), Word(op=Op.NEXT)
    permute = Word(op=Op.MOVE, source=Source.PERMUTED, permute_bit=lanes.bit_length() - 1)
    first = initialise(rig.rng)
    for body in (
        [store, last, end],
        [loop, store, loop, end],
        [loop, store, end],
        [loop, store, permute, last, end],
        [store, replace(permute, permute_bit=7), end],
        [loop, last, last],
    ):
        await rig.load([*first, *body])
        assert rig.golden(f)[0].status is Status.ILLEGAL_INSTRUCTION
        await rig.check(f)
    # fields that an operation does not use are not looked at
    unused = [replace(permute, op=op, stream=0) for op in (Op.ROW, Op.COLUMN, Op.LOAD, Op.STORE)]
    await rig.load([*first, *unused, end])
    assert rig.golden(f)[0].status is Status.OK
    await rig.check(f)
    # into the end of the store, and from beyond it
    await rig.load(first, entries - len(first))
    for start in (entries - len(first), entries - 1, entries, 2**16 - 1):
        want = rig.golden({**f, "start": start})[0]
        assert (want.status, want.address) == (Status.ILLEGAL_INSTRUCTION, max(start, entries))
        await rig.check({**f, "start": start})


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def random_words_never_hang(dut):
    """A program of noise that runs for ever or does what the golden does not."""
    rig = Rig(dut)
    await rig.reset()
    await rig.fill_store()
    for _ in range(40):
        f = random_run(rig)
        program = random_program(rig.rng, rig.tile.array_cols, f["streams"], size=30)
        await rig.load(program)
        spoilt = int(rig.rng.integers(20, len(program)))
        word = rig.rng.integers(0, 2**64, 1, np.uint64)
        await rig.load_words(word, spoilt)
        await rig.check({**f, "start": 0})


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def illegal_fields_are_refused(dut):
    """A zero size that runs for ever; a format that is taken for another; accumulators written."""
    rig = Rig(dut)
    await rig.reset()
    await rig.fill_store()
    good = {**random_run(rig), "start": 0}
    await rig.load([*initialise(rig.rng), Word(op=Op.END)])
    counts = [len(port.raw) for port in (rig.accumulator, rig.read, rig.write)]
    bad = [{"m": 0}, {"n": 0}, {"m": 0, "n": 0}]
    bad += [{"streams": [Stream(format=code)]} for code in range(7, 16)]
    bad += [
        {"streams": [*(Stream(),) * place, Stream(format=code, accumulator=1)]}
        for place in range(4)
        for code in (Format.INT8, Format.BF16)
    ]
    built = {"int8", *rig.tile.formats}
    names = {"int4": Format.INT4, "bf16": Format.BF16, "fp8e5m2": Format.FP8E5M2}
    bad += [{"streams": [Stream(format=names[name])]} for name in names.keys() - built]
    for change in bad:
        f = {**good, **change}
        assert rig.golden(f)[0].status is Status.ILLEGAL_FIELD
        await rig.check(f)
    assert counts == [len(port.raw) for port in (rig.accumulator, rig.read, rig.write)]
    # found when it is reached: what comes before is done
    first = [*initialise(rig.rng), Word(op=Op.STORE, a=2, stream=0)]
    await rig.load([*first, Word(op=Op.STORE, a=2, stream=1), Word(op=Op.END)])
    stream = Stream(0, 8, 4, Format.FP32)
    f = {**good, "streams": [stream, Stream(format=Format.FP32, accumulator=1)]}
    assert rig.golden(f)[0].address == len(first)
    await rig.check(f)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def programs_that_do_not_fit_are_refused(dut):
    """A load that wraps round in the store or leaves the scratchpad; an instruction overwritten."""
    rig = Rig(dut)
    await rig.reset()
    await rig.fill_store()
    rows, entries = rig.tile.scratchpad_rows, rig.tile.microprogram_entries
    each = rig.tile.row_bytes // 8
    reads = len(rig.read.raw)
    for row, count, start, status, address in (
        (0, 0, 0, Status.ILLEGAL_FIELD, 0),
        (2**32 - 1, 0, 2**16 - 1, Status.ILLEGAL_FIELD, 0),
        (0, 1, entries, Status.ILLEGAL_INSTRUCTION, entries),
        (0, entries, 1, Status.ILLEGAL_INSTRUCTION, entries),
        (0, 2**16 - 1, 2**16 - 1, Status.ILLEGAL_INSTRUCTION, 2**17 - 3),
        (rows, 1, 0, Status.LOCAL_RANGE, rows),
        (rows - 1, each + 1, 0, Status.LOCAL_RANGE, rows),
        (2**32 - 1, each + 1, 0, Status.LOCAL_RANGE, 0),
    ):
        (end,) = await rig.end(rig.program_word(row, count, start, 4))
        got = (end["index"], end["signal"], end["status"], end["address"])
        assert got == (4, 5, status, address), (row, count, start, got)
    assert reads == len(rig.read.raw)
    # the store is as it was, and its last entry can be loaded
    await rig.load([Word(op=Op.END)], entries - 1, rows - 1)
    table = [
        *(Word(op=Op.COLUMN, d=0), Word(op=Op.INT_ADD, d=0, a=0, b=0, source=Source.SCALAR)),
        *(Word(op=Op.LOOKUP, d=1, b=0), Word(op=Op.STORE, a=1, stream=0), Word(op=Op.END)),
    ]
    await rig.load(table)
    f = {"m": 1, "n": entries, "start": 0, "scalars": [0] * 4}
    lookup = {**f, "streams": [Stream(0, 0, 4, Format.FP32)]}
    loop = [Word(op=Op.LOOP), *table[:-1], Word(op=Op.NEXT), Word(op=Op.END)]
    await rig.load(loop)
    await rig.check(lookup)


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(stalls=[0.0, 0.5])
async def abort_ends_everything_cleanly(dut, stalls):
    """A request withdrawn, a command without an end, something left for the next command."""
    rig = Rig(dut, stalls=stalls)
    await rig.reset()
    await rig.fill_store()
    for _ in range(60):
        f = {**random_run(rig), "start": 0}
        program = random_program(rig.rng, rig.tile.array_cols, f["streams"], size=40)
        await rig.load(program)
        before, entered = len(rig.done.raw), len(rig.commands.raw)
        words = [run_word(f, 0), rig.program_word(0, 40, 100, 1), run_word(f, 2)]
        rig.commands.send(*words)
        await rig.bench.cycles(int(rig.rng.integers(1, 600)))
        dut.engine__abort.value = 1
        await rig.done.take(before + len(words), 5000)
        await rig.quiet()
        dut.engine__abort.value = 0
        ends = rig.done.items[before:]
        assert [end["index"] for end in ends] == [0, 1, 2]
        statuses = [end["status"] for end in ends]
        whole = statuses.count(Status.OK)
        assert statuses == [Status.OK] * whole + [Status.ABORTED] * (len(words) - whole)
        assert len(rig.commands.raw) == entered + len(words)
        await rig.bench.cycles(2)
        # what it was to write is as good as garbage; the next command must be right
        await rig.load_words(rig.store, 0)
        await rig.check(f)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def a_short_abort_ends_what_is_inside(dut):
    """A command that survives an abort, or one that comes later and does not run."""
    rig = Rig(dut)
    await rig.reset()
    await rig.fill_store()
    for _ in range(60):
        f = {**random_run(rig), "start": 0}
        program = random_program(rig.rng, rig.tile.array_cols, f["streams"], size=40)
        await rig.load(program)
        before, entered = len(rig.done.raw), len(rig.commands.raw)
        rig.commands.send(*(run_word(f, index) for index in range(3)))
        await rig.bench.cycles(int(rig.rng.integers(1, 900)))
        dut.engine__abort.value = 1
        await rig.bench.cycles(int(rig.rng.integers(1, 4)))
        dut.engine__abort.value = 0
        # the bench sees what was before the edge: let it see the last cycle of abort
        await rig.bench.cycles(1)
        inside = len(rig.commands.raw) - entered
        await rig.done.take(before + 3, 50_000)
        statuses = [end["status"] for end in rig.done.items[before:]]
        whole = statuses[:inside].count(Status.OK)
        assert statuses == [
            *[Status.OK] * whole,
            *[Status.ABORTED] * (inside - whole),
            *[Status.OK] * (3 - inside),
        ]
        await rig.check(f)


@pytest.mark.rtl
@pytest.mark.parametrize("name", ["micro", "base_bf16"])
def test_processor_errors(name: str) -> None:
    run_processor(name, __name__)
