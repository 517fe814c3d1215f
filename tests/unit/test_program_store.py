"""Microprograms in the tiles' stores: what is loaded when, and what gives way."""

import numpy as np
import pytest
from weft import Device
from weft.commands import pack, unpack
from weft.microcode import Assembler, Program
from weft_hw.isa import Opcode
from weft_hw.presets import preset
from weft_sim.dram import Dram

_DRAM = Dram(size_bytes=1 << 20)


def _program(name: str, instructions: int) -> Program:
    """Of so many instructions, told from others of the same length by what it adds."""
    asm = Assembler(name)
    x, out = asm.source("x"), asm.target("out")
    with asm.loop():
        value = asm.load(x)
        for _ in range(instructions - 5):
            value = value + float(len(name))
        asm.store(out, value)
    program = asm.build()
    assert len(program) == instructions
    return program


@pytest.fixture
def device():
    """A chip whose store holds 32 instructions a tile, with the commands submitted to it."""
    config = preset("quad").replace_tile(
        formats=("int8", "bf16"), microprogram_entries=32, scratchpad_kib=64
    )
    with Device("model", config, dram=_DRAM, debug=True) as opened:
        opened.submitted = []

        def record(event):
            opened.submitted += [unpack(row) for row in event.commands]

        opened.listeners.append(record)
        yield opened


def _loads(device) -> list[tuple[tuple[int, int], int, int]]:
    found = [
        (command.tile, command.fields["start"], command.fields["count"])
        for command in device.submitted
        if command.opcode is Opcode.PROGRAM
    ]
    device.submitted.clear()
    return found


def test_loaded_once(device):
    """A program is loaded again each time it runs, or not to a tile that lacks it."""
    one = _program("a", 10)
    assert device.programs.require([one], [(0, 0)]) == (0,)
    assert _loads(device) == [((0, 0), 0, 10)]
    assert device.programs.require([one], [(0, 0), (1, 1)]) == (0,)
    assert _loads(device) == [((1, 1), 0, 10)]
    device.synchronize()


def test_oldest_gives_way(device):
    """A program that was overwritten is thought to be there."""
    one, two, three = _program("a", 16), _program("bb", 14), _program("ccc", 10)
    assert device.programs.require([one], [(0, 0)]) == (0,)
    assert device.programs.require([two], [(0, 0)]) == (16,)
    assert device.programs.require([three], [(0, 0)]) == (0,)
    assert device.programs.require([two], [(0, 0)]) == (16,)
    _loads(device)
    assert device.programs.require([one], [(0, 0)]) == (10,)
    assert _loads(device) == [((0, 0), 10, 16)]
    assert device.programs.require([two, one], [(0, 0)]) == (0, 14)
    assert len(_loads(device)) == 2


def test_together(device):
    """Of two programs wanted together, one overwrites the other."""
    programs = [_program("a" * count, size) for count, size in ((1, 9), (2, 8), (3, 8), (4, 7))]
    for first in programs:
        for second in programs:
            starts = device.programs.require([first, second], [(0, 0)])
            spans = sorted(zip(starts, (len(first), len(second)), strict=True))
            if first is not second:
                assert spans[0][0] + spans[0][1] <= spans[1][0]
            assert spans[1][0] + spans[1][1] <= 32
    starts = device.programs.require(programs, [(0, 0)])
    used = [
        entry
        for program, start in zip(programs, starts, strict=True)
        for entry in range(start, start + len(program))
    ]
    assert sorted(used) == list(range(32))
    device.synchronize()


def test_forgets(device):
    """What a store holds is relied on after it was changed behind the driver's back."""
    one = _program("a", 10)
    device.programs.require([one], [(0, 0)])
    device.reset_queue()
    _loads(device)
    device.programs.require([one], [(0, 0)])
    assert len(_loads(device)) == 1
    device.submit([pack(Opcode.PROGRAM, count=4)])
    _loads(device)
    device.programs.require([one], [(0, 0)])
    assert len(_loads(device)) == 1


def test_too_long(device):
    """A program runs into what lies behind the store's end."""
    with pytest.raises(
        ValueError, match="long must fit the 32 entries of the microprogram store of quad, not 33"
    ):
        device.programs.require([_program("long", 33)], [(0, 0)])
    with pytest.raises(ValueError, match="a and bb must fit the 32 entries"):
        device.programs.require([_program("a", 20), _program("bb", 20)], [(0, 0)])


def test_no_processor():
    """A chip without a vector processor is sent a program."""
    with (
        Device("model", "nano", dram=_DRAM) as device,
        pytest.raises(ValueError, match="nano must be built with a floating-point format to run"),
    ):
        device.programs.require([_program("a", 10)], [(0, 0)])


def test_what_is_loaded_runs(device):
    """A program is started at another one's first entry."""
    from weft.kernels.rows import run_rows

    x = np.arange(60, dtype=np.float32).reshape(6, 10)
    out = device.empty((6, 10), np.float32)
    for name in ("a", "bb", "ccc", "a"):
        program = _program(name, 14)
        run_rows(device, program, {"x": x}, out, m=6, n=10).wait()
        np.testing.assert_array_equal(out, x + 9 * len(name))
