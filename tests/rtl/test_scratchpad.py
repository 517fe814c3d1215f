"""Scratchpad: every client sees its own rows, in order, whoever shares a bank."""

import cocotb
import numpy as np
import pytest
from weft_hw.memory.port import READ_LATENCY, WriteBeat
from weft_hw.memory.scratchpad import Scratchpad, readers, writers
from weft_hw.presets import preset
from weft_sim.bench import Bench, StreamMonitor, StreamSource, run_bench
from weft_sim.bench.pauses import random_pauses

pytestmark = pytest.mark.rtl


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def clients_read_what_was_written(dut):
    """A refused client with another's row, a grant without data, a write lost in a busy bank."""
    bench = Bench(dut)
    config = preset(bench.parameters["preset"])
    tile = config.tile
    rows, bits, parts = tile.scratchpad_rows, 8 * tile.row_bytes, tile.write_parts
    layouts = {
        name: WriteBeat(rows=rows, row_bits=bits, parts=parts if name == "vector" else 1)
        for name in writers(config)
    }
    reads = {
        name: StreamSource(bench, f"read_{name}__request", pause=random_pauses(bench.rng, 0.2))
        for name in readers(config)
    }
    answers = {name: StreamMonitor(bench, f"read_{name}__response") for name in readers(config)}
    writes = {
        name: StreamSource(
            bench, f"write_{name}__request", layout, pause=random_pauses(bench.rng, 0.2)
        )
        for name, layout in layouts.items()
    }
    await bench.reset()
    # the writers, each its own rows of the same banks
    contents = {}
    for number, (name, source) in enumerate(writes.items()):
        for row in bench.rng.choice(rows // len(writes), 150, replace=False):
            where = len(writes) * int(row) + number
            contents[where] = int.from_bytes(bench.rng.bytes(bits // 8), "little")
            whole = {"mask": (1 << parts) - 1} if name == "vector" and parts > 1 else {}
            source.send({"row": where, "data": contents[where], **whole})
            if whole:
                # again, but only some parts of it
                mask, data = int(bench.rng.integers(1 << parts)), bench.rng.bytes(bits // 8)
                other = int.from_bytes(data, "little")
                source.send({"row": where, "data": other, "mask": mask})
                for part in range(parts):
                    if mask >> part & 1:
                        lanes = ((1 << bits // parts) - 1) << (part * bits // parts)
                        contents[where] = contents[where] & ~lanes | other & lanes
    for source in writes.values():
        await source.drained()
    await bench.cycles(1)
    # the readers, at random or all in one bank
    wanted = {}
    keys = sorted(contents)
    for name, source in reads.items():
        wanted[name] = [
            keys[i]
            for i in bench.rng.integers(0, len(keys) // (1 if bench.rng.random() < 0.5 else 8), 300)
        ]
        source.send(*wanted[name])
    for source in reads.values():
        await source.drained()
    await bench.cycles(READ_LATENCY + 1)
    for name in readers(config):
        assert answers[name].raw == [contents[row] for row in wanted[name]], name
        delays = np.array(answers[name].at) - np.array(reads[name].at)
        assert (delays == READ_LATENCY).all(), (name, delays)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def the_array_is_never_refused(dut):
    """A stream of activations that loses a cycle to another client."""
    bench = Bench(dut)
    config = preset(bench.parameters["preset"])
    tile = config.tile
    reads = {name: StreamSource(bench, f"read_{name}__request") for name in readers(config)}
    for name in reads:
        StreamMonitor(bench, f"read_{name}__response")
    await bench.reset()
    for source in reads.values():
        source.send(
            *[
                int(x)
                for x in bench.rng.integers(0, tile.scratchpad_rows // tile.scratchpad_banks, 200)
            ]
        )
    await reads["activations"].drained(cycles=210)
    at = np.array(reads["activations"].at)
    assert (np.diff(at) == 1).all()
    # all in one bank: strictly one after the other
    await reads["load"].drained(cycles=1000)
    order = [reads[name].at[-1] for name in readers(config)]
    assert order == sorted(order)


@pytest.mark.parametrize("name", ["nano", "micro", "quad"])
def test_scratchpad(name):
    run_bench(
        Scratchpad(preset(name)),
        f"scratchpad_{name}",
        __name__,
        parameters={"preset": name},
        testcase=["clients_read_what_was_written", "the_array_is_never_refused"],
    )
