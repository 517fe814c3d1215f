"""The vector engine's cycles without refusals: what a cycle model may rely on."""

from itertools import pairwise
from typing import Any

import cocotb
import pytest
from vector_memory import command_word
from vector_rig import Rig, limited
from weft_hw.isa import VectorOutput
from weft_hw.presets import preset
from weft_hw.vector.engine import VectorEngine
from weft_sim.bench import run_bench

#: Cycles from an accumulator read to its (first) write accepted.
WRITE_AFTER = {VectorOutput.INT8: 15, VectorOutput.INT32: 5}


def predict(commands: list[dict[str, Any]], columns: int, parts: int) -> dict[str, list[int]]:
    """Cycles, from the first command's being taken, in which commands are taken, accumulators read
    and commands done. ``parts`` scratchpad rows hold a vector of 32 bits. Commands without
    residuals, all offered at once, nothing refused.
    """
    taken, reads, ends = [], [], []
    accept = 0  # cycle in which the command is taken
    fetch_free = 0  # from when on the parameter fetch can take a command
    consumed, scale_free = -100, -100  # first read of the last block with parameters
    next_read = 0  # the lanes' pace
    drained = 0  # the last write of the command before is known
    last_mode = VectorOutput.INT8
    for f in commands:
        taken.append(accept)
        int32 = f["output"] is VectorOutput.INT32
        beats = parts if int32 else 1
        offer = accept + 7
        drain_take = max(offer, reads[-1] if reads else 0)
        next_read = max(next_read, drain_take + 1)
        if int32 and last_mode is VectorOutput.INT8:
            next_read = max(next_read, drained)
        last_mode = f["output"]
        has_parameters = f["use_bias"] or not int32
        fetch_take = max(offer, fetch_free) if has_parameters else offer
        loaded = fetch_take + 1
        vector_rows = -(-parts * f["n"] // columns)
        for block in range(-(-f["n"] // columns)):
            part = min(parts, vector_rows - parts * block)
            if has_parameters:
                take = max(loaded, consumed + 1)
                if f["use_bias"]:
                    take += part
                if not int32:
                    take = max(take, scale_free) + part
                fetch_free = take
                next_read = max(next_read, take + 3)
                consumed = next_read
                if not int32:
                    scale_free = next_read + 3
            for _ in range(f["m"]):
                reads.append(next_read)
                next_read += beats
        drained = reads[-1] + WRITE_AFTER[f["output"]] + beats
        ends.append(max(drained, ends[-1] + 1 if ends else 0))
        accept = max(drain_take, fetch_take) + 1
    return {"taken": taken, "reads": reads, "ends": ends}


async def measure(rig: Rig, commands: list[dict[str, Any]]) -> dict[str, list[int]]:
    """The same cycles, measured; results are checked against the golden on the way. ``ends`` is the
    first cycle in which ``done`` is offered, as the bench always takes it at once."""
    agents = {"taken": rig.commands, "reads": rig.accumulator, "ends": rig.done}
    counts = {name: len(agent.at) for name, agent in agents.items()}
    await rig.check(commands)
    start = rig.commands.at[counts["taken"]]
    return {name: [at - start for at in agent.at[counts[name] :]] for name, agent in agents.items()}


def batches(rig: Rig) -> list[list[dict[str, Any]]]:
    """Single commands of every kind, then rows of commands."""
    c = rig.columns
    found = []
    for output in VectorOutput:
        for use_bias in (0, 1):
            for m in (1, 2, 9, 12, 13, 20):
                for n in (1, c - 1, c, 2 * c, 3 * c + 1):
                    fixed = {"output": output, "use_bias": use_bias, "m": m, "n": n}
                    found.append(limited(rig, 1, use_residual=0, **fixed))
    return found


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_command_takes_the_cycles_it_should(dut):
    """A bubble between rows or blocks, parameters fetched late, a late end."""
    rig = Rig(dut)
    await rig.reset()
    for batch in batches(rig):
        assert await measure(rig, batch) == predict(batch, rig.columns, rig.memories.beats), batch


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def commands_in_a_row_take_the_cycles_they_should(dut):
    """A bubble between commands."""
    rig = Rig(dut)
    await rig.reset()
    for _ in range(40):
        # no more than may be inside, so that none waits for an end
        batch = limited(rig, 4, use_residual=0, m=int(rig.rng.integers(1, 24)))
        got = await measure(rig, batch)
        want = predict(batch, rig.columns, rig.memories.beats)
        assert got == want, batch


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def residuals_take_the_reads_they_need(dut):
    """A residual fetched later than the scratchpad's read port could."""
    rig = Rig(dut)
    await rig.reset()
    c, m = rig.columns, 40
    for use_bias in (0, 1):
        fixed = {"output": VectorOutput.INT8, "use_bias": use_bias, "m": m, "n": 5 * c}
        batch = limited(rig, 1, use_residual=1, **fixed)
        reads = (await measure(rig, batch))["reads"]
        firsts = reads[::m]
        # a residual for each row and the parameters of the next block; the first has a head start
        periods = [later - earlier for earlier, later in pairwise(firsts)]
        assert periods[1:] == [m + rig.memories.beats * (1 + use_bias)] * 3, periods
        assert reads[-1] - firsts[-1] == m - 1


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def errors_are_answered_when_they_should(dut):
    """A refused command that waits for something."""
    rig = Rig(dut)
    await rig.reset()
    good = limited(rig, 1)[0]
    for change, cycles in (({"m": 0}, 5), ({"out_row": 2**31}, 10)):
        rig.commands.send(command_word(good | change, 0))
        await rig.done.take(len(rig.done.raw) + 1, 100)
        assert rig.done.at[-1] - rig.commands.at[-1] == cycles, change


@pytest.mark.rtl
@pytest.mark.parametrize("name", ["nano", "micro"])
def test_vector_timing(name: str) -> None:
    run_bench(VectorEngine(preset(name)), f"vector_{name}", __name__, parameters={"preset": name})
