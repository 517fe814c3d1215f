"""The vector engine with its memories: results, ends of commands, errors and abort."""

from typing import Any

import cocotb
import numpy as np
import pytest
from vector_memory import command_word
from vector_rig import Rig, limited
from weft_hw.formats.table import Format, units_per_row
from weft_hw.isa import Status, VectorOutput
from weft_hw.presets import preset
from weft_hw.vector.engine import VectorEngine
from weft_sim.bench import run_bench


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def every_size_and_flag_matches_the_golden(dut):
    """A tail of M or N mishandled, a flag that is ignored, parameters of the wrong block."""
    rig = Rig(dut)
    await rig.reset()
    c = rig.columns
    for m in (1, c - 1, c, c + 1, 3 * c + 5):
        for n in (1, c - 1, c, c + 1, 3 * c + 1):
            for output in VectorOutput:
                for flags in range(4):
                    f = limited(
                        rig,
                        1,
                        m=m,
                        n=n,
                        output=output,
                        use_bias=flags & 1,
                        use_residual=flags >> 1,
                    )
                    await rig.check(f)


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(stalls=[0.0, 0.3, 0.7])
async def commands_back_to_back_match_the_golden(dut, stalls):
    """State of one command that leaks into the next; data lost when a port refuses."""
    rig = Rig(dut, stalls=stalls)
    await rig.reset()
    for _ in range(40):
        largest = rig.columns if rig.rng.random() < 0.5 else 2 * rig.columns
        count = int(rig.rng.integers(1, 7))
        fixed = {"m": int(rig.rng.integers(1, largest))} if rig.rng.random() < 0.5 else {}
        await rig.check(limited(rig, count, **fixed), cycles=100_000)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def small_commands_follow_each_other(dut):
    """A single-row command overtaking the one before, or taking its parameters."""
    rig = Rig(dut)
    await rig.reset()
    for output in (None, VectorOutput.INT8, VectorOutput.INT32):
        fixed = {} if output is None else {"output": output}
        commands = [
            limited(rig, 1, m=1, n=int(rig.rng.integers(1, 5)), **fixed)[0] for _ in range(1)
        ]
        commands = limited(rig, 12, m=1, **fixed)
        await rig.check(commands)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def extreme_values_saturate(dut):
    """A wrap instead of saturation, a NaN that is not zero, a crossed clamp."""
    rig = Rig(dut)
    await rig.reset()
    memories, c = rig.memories, rig.columns
    edges = np.array([-(2**31), 2**31 - 1, 0, 1, -1, 2**24 + 1, -383, 383], np.int32)
    scales = np.array(
        [1, -1, 0.5, np.inf, -np.inf, np.nan, 3e38, 1e-40, 2.0**-24, 0, 1e-45, 127.5], np.float32
    )
    for zero, low, high in ((0, -128, 127), (-128, -128, 127), (127, -128, 127), (3, 10, -10)):
        f = limited(
            rig,
            1,
            m=len(edges),
            n=3 * c,
            output=VectorOutput.INT8,
            use_bias=0,
            use_residual=1,
            zero_point=zero,
            clamp_min=low,
            clamp_max=high,
        )[0]
        memories.store(f["scale_row"], np.resize(scales, 3 * c))
        for block in range(3):
            row = f["acc_row"] + block * f["acc_stride"]
            memories.accumulator[row : row + len(edges)] = edges[:, None]
        await rig.check([f])


#: Fields that push one walk over its memory's end, and what the walk then ends with.
OVERRUNS = ("acc_row", "acc_stride", "out_row", "out_stride", "bias_row", "scale_row")
OVERRUNS += ("residual_row", "residual_stride", "far")


def overrun(rig: Rig, f: dict[str, Any], what: str) -> int:
    """Changes ``f`` so that exactly one walk leaves its memory; returns the row reported."""
    tile = rig.config.tile
    m, blocks = f["m"], -(-f["n"] // rig.columns)
    pad, acc = tile.scratchpad_rows, tile.accumulator_rows
    # output and residual count int8 units
    units = units_per_row(tile, Format.INT8)
    vector_rows = -(-4 * f["n"] // tile.row_bytes)
    if what == "acc_row":
        f["acc_row"] = acc - (blocks - 1) * f["acc_stride"] - m + 1
        return acc
    if what == "acc_stride":
        f["acc_row"], f["acc_stride"] = 1, 65535
        return 1 + (blocks - 1) * 65535 + m - 1
    if what == "out_row":
        f["out_row"] = units * pad - (m - 1) * f["out_stride"] - blocks + 1
        return pad
    if what == "out_stride":
        f["out_stride"] = 65535
        return (f["out_row"] + (m - 1) * 65535 + blocks - 1) // units
    if what == "residual_stride":
        f["residual_stride"] = 65535
        return (f["residual_row"] + (m - 1) * 65535 + blocks - 1) // units
    if what == "residual_row":
        f["residual_row"] = units * pad - (m - 1) * f["residual_stride"] - blocks + 1
        return pad
    if what == "far":
        # the sum needs more than 32 bits
        f["residual_row"] = 2**32 - 1
        return (2**32 - 1 + (m - 1) * f["residual_stride"] + blocks - 1) // units % 2**32
    f[what] = pad - vector_rows + 1
    return pad


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def what_leaves_a_memory_is_refused(dut):
    """An access beyond the end, or before the check; an engine stuck after an error."""
    rig = Rig(dut)
    await rig.reset()
    c = rig.columns
    for what in OVERRUNS:
        good = limited(
            rig, 2, m=c + 1, n=2 * c + 1, output=VectorOutput.INT8, use_bias=1, use_residual=1
        )
        bad = dict(good[1])
        row = overrun(rig, bad, what)
        counts = [len(port.raw) for port in (rig.accumulator, rig.read, rig.write)]
        rig.commands.send(command_word(bad, 7))
        before = len(rig.done.raw)
        end = (await rig.done.take(before + 1, 100))[-1]
        assert (end["index"], end["status"], end["address"]) == (7, Status.LOCAL_RANGE, row), what
        assert counts == [len(port.raw) for port in (rig.accumulator, rig.read, rig.write)], what
        # between two good ones its end comes in order
        before = len(rig.done.raw)
        rig.commands.send(*(command_word(f, i) for i, f in enumerate((good[0], bad, good[1]))))
        ends = (await rig.done.take(before + 3, 2000))[before:]
        assert [(end["index"], end["status"]) for end in ends] == [
            (0, Status.OK),
            (1, Status.LOCAL_RANGE),
            (2, Status.OK),
        ], what
        await rig.check([good[0]])


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def unused_walks_are_not_checked(dut):
    """A command refused for a field it does not use."""
    rig = Rig(dut)
    await rig.reset()
    f = limited(rig, 1, output=VectorOutput.INT32, use_bias=0)[0]
    f |= {"bias_row": 2**32 - 1, "scale_row": 2**31, "residual_row": 2**30, "use_residual": 1}
    await rig.check([f])


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def illegal_fields_are_refused(dut):
    """A zero size that runs for ever; an unknown output mode that is taken for another."""
    rig = Rig(dut)
    await rig.reset()
    good = limited(rig, 1)[0]
    for index, change in enumerate(
        ({"m": 0}, {"n": 0}, {"m": 0, "n": 0}, {"output": 2}, {"output": 3})
    ):
        rig.commands.send(command_word(good | change, index))
        end = (await rig.done.take(index + 1, 100))[-1]
        assert (end["index"], end["status"], end["address"]) == (index, Status.ILLEGAL_FIELD, 0)
    assert [port.raw for port in (rig.accumulator, rig.read, rig.write)] == [[], [], []]
    await rig.check([good])


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(stalls=[0.0, 0.5])
async def abort_ends_everything_cleanly(dut, stalls):
    """A request withdrawn, rows left over for the next command, a command without an end."""
    rig = Rig(dut, stalls=stalls)
    await rig.reset()
    for _ in range(40):
        commands = limited(rig, int(rig.rng.integers(1, 5)))
        before = len(rig.done.raw)
        rig.commands.send(*(command_word(f, index) for index, f in enumerate(commands)))
        await rig.bench.cycles(int(rig.rng.integers(1, 150)))
        dut.engine__abort.value = 1
        # the front end hands nothing over any more: what waits with the source is let in and ended
        await rig.done.take(before + len(commands), 5000)
        await rig.quiet()
        dut.engine__abort.value = 0
        ends = rig.done.items[before:]
        assert [end["index"] for end in ends] == list(range(len(commands)))
        finished = [end["status"] for end in ends]
        whole = finished.count(Status.OK)
        assert finished == [Status.OK] * whole + [Status.ABORTED] * (len(commands) - whole)
        await rig.bench.cycles(3)
        await rig.check(limited(rig, int(rig.rng.integers(1, 4))))


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(stalls=[0.0, 0.5])
async def a_short_abort_ends_what_is_inside(dut, stalls):
    """A command that survives an abort because it was being checked; one that comes later and does
    not run."""
    rig = Rig(dut, stalls=stalls)
    await rig.reset()
    for _ in range(40):
        commands = limited(rig, 6)
        before, entered = len(rig.done.raw), len(rig.commands.raw)
        rig.commands.send(*(command_word(f, index) for index, f in enumerate(commands)))
        await rig.bench.cycles(int(rig.rng.integers(1, 150)))
        dut.engine__abort.value = 1
        await rig.bench.cycles(int(rig.rng.integers(1, 4)))
        dut.engine__abort.value = 0
        # the bench sees what was before the edge: let it see the last cycle of abort
        await rig.bench.cycles(1)
        inside = len(rig.commands.raw) - entered
        await rig.done.take(before + len(commands), 50_000)
        statuses = [end["status"] for end in rig.done.items[before:]]
        whole = statuses[:inside].count(Status.OK)
        assert statuses == [
            *[Status.OK] * whole,
            *[Status.ABORTED] * (inside - whole),
            *[Status.OK] * (len(commands) - inside),
        ]
        await rig.check(limited(rig, int(rig.rng.integers(1, 4))))


@pytest.mark.rtl
@pytest.mark.parametrize("name", ["nano", "micro"])
def test_vector_engine(name: str) -> None:
    run_bench(VectorEngine(preset(name)), f"vector_{name}", __name__, parameters={"preset": name})
