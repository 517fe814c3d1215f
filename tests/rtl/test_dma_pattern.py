"""Decoder and address generator alone, in Amaranth's simulator, at the ends of their ranges."""

from itertools import islice

import numpy as np
import pytest
from amaranth.hdl import Module, Shape, Signal
from amaranth.sim import Simulator
from harness_dma import Access, Command, accesses
from tensor_commands import TensorCommand
from weft_hw.config import ChipConfig, HostConfig, MeshConfig, TileConfig
from weft_hw.dma.decode import Decode
from weft_hw.dma.pattern import Pattern
from weft_hw.dma.walk import TENSOR_FIELDS
from weft_hw.isa import LoadCommand, Opcode, Status
from weft_hw.streams.link import link
from weft_sim.golden.transfers import Fault
from weft_sim.golden.transfers import accesses as golden_accesses

#: Accesses compared of one command; the walk is then stopped.
LIMIT = 40


def chip(array, packet, address_bits, scratchpad_kib=128, endpoints=1):
    """A chip with flits of ``array`` bytes."""
    return ChipConfig(
        name="odd",
        tile=TileConfig(
            array_rows=array,
            array_cols=array,
            scratchpad_kib=scratchpad_kib,
            accumulator_kib=1024,
        ),
        mesh=MeshConfig(rows=4, memory_endpoints=endpoints, max_packet_bytes=packet),
        host=HostConfig(address_bits=address_bits),
    )


def run(config, commands, limit=LIMIT, tensor=False):
    """The accesses that the hardware makes of each command, as dicts of its fields."""
    m = Module()
    m.submodules.decode = decode = Decode(config, load=tensor)
    m.submodules.pattern = pattern = Pattern(config, tensor=tensor)
    link(m, decode.walk, pattern.walk)
    # as in transfer.py: a stop concerns the walk whose accesses are being taken, and none after it
    cut, ended, taken = Signal(), Signal(16), Signal(16)
    m.d.comb += pattern.stop.eq(cut & (ended == taken))
    m.d.sync += ended.eq(ended + pattern.ended)
    results = []

    async def send(ctx):
        for command in commands:
            ctx.set(decode.command.payload.bits, command.bits()["bits"])
            ctx.set(decode.command.valid, 1)
            await ctx.tick().until(decode.command.ready)
            ctx.set(decode.command.valid, 0)

    async def take(ctx):
        access = pattern.access.payload
        while len(results) < len(commands):
            got = []
            ctx.set(cut, 0)
            ctx.set(taken, len(results))
            while not got or not got[-1]["last"]:
                ctx.set(pattern.access.ready, 1)
                item = await ctx.tick().sample(access).until(pattern.access.valid)
                ctx.set(pattern.access.ready, 0)
                names = ["status", "last", "endpoint", "length", "flits_less_one", "row", "address"]
                names += ["fill", "value"] if tensor else []
                got.append({name: getattr(item[0], name) for name in names})
                ctx.set(cut, len(got) >= limit)
            results.append(got)

    simulator = Simulator(m)
    simulator.add_clock(1e-9)
    simulator.add_testbench(send)
    simulator.add_testbench(take)
    simulator.run()
    return results


def check(config, commands, limit=LIMIT):
    """Compares with the instruction set's text."""
    flit = config.flit_bytes
    for command, got in zip(commands, run(config, commands, limit), strict=True):
        # the stop comes while the access after the limit waits in s1
        want = list(islice(accesses(config, command), limit + 2))
        for i, (have, item) in enumerate(zip(got, want[: limit + 1], strict=False)):
            where = f"access {i} of {command}: {have}, not {item}"
            assert have["address"] == item.address, where
            if isinstance(item, Access):
                assert have["status"] == Status.OK, where
                assert (have["length"], have["row"]) == (item.length, item.row), where
                assert have["flits_less_one"] == -(-item.length // flit) - 1, where
                assert have["endpoint"] == command.endpoint, where
            else:
                assert have["status"] == item.status, where
        if len(want) <= limit + 1:
            assert len(got) == len(want), f"{command}"
        else:
            assert got[-1]["status"] == Status.ABORTED
            assert len(got) == limit + 2


def random_commands(rng, config, count):
    """Legal and illegal ones, with fields that like their extremes and each other."""
    flit, space = config.flit_bytes, 1 << config.host.address_bits
    commands = []
    for _ in range(count):
        row_bytes = int(rng.choice([0, 1, flit, 65535, 3 * flit, int(rng.integers(1 << 16))]))
        flits = -(-row_bytes // flit)
        strides = [0, row_bytes, row_bytes + 1, (1 << 32) - 1, int(rng.integers(1 << 32))]
        tops = [
            0,
            space - 1,
            max(space - row_bytes, 0),
            (1 << 64) - 1,
            int(rng.integers(space >> 1)),
        ]
        commands.append(
            Command(
                memory_address=tops[rng.integers(len(tops))] % (1 << 64),
                memory_stride=int(rng.choice(strides)),
                row_bytes=row_bytes,
                rows=int(rng.choice([0, 1, 2, 65535, int(rng.integers(1 << 16))])),
                local_row=int(rng.choice([0, 7, config.tile.scratchpad_rows - 3, (1 << 32) - 1])),
                local_stride=int(rng.choice([0, 1, flits, 65535])),
                endpoint=int(rng.integers(config.mesh.memory_endpoints + 1)),
            )
        )
    return commands


@pytest.mark.parametrize(
    ("array", "packet", "address_bits", "endpoints"),
    [(4, 64, 16, 1), (8, 1024, 32, 4), (16, 512, 33, 2), (64, 64, 64, 1), (128, 4096, 40, 3)],
)
def test_dma_pattern(array, packet, address_bits, endpoints):
    """A width that is too small for some configuration, at any combination of extremes."""
    config = chip(array, packet, address_bits, endpoints=endpoints)
    seed = int(np.random.default_rng().integers(1 << 31))
    print(f"seed {seed}")
    check(config, random_commands(np.random.default_rng(seed), config, 150))


def random_tensor_commands(rng, config, count):
    """Loads and fills with fields that like their extremes."""
    flit, space = config.flit_bytes, 1 << config.host.address_bits
    layout = LoadCommand.as_shape()
    commands = []
    for _ in range(count):
        fields = {}
        for name in TENSOR_FIELDS:
            shape = Shape.cast(layout[name].shape)
            low = -(1 << (shape.width - 1)) if shape.signed else 0
            high = low + (1 << shape.width) - 1
            choices = [low, high, 0, 1, 1, high & 2, int(rng.integers(low, high + 1))]
            fields[name] = int(rng.choice(choices))
        row_bytes = int(rng.choice([1, flit, flit + 1, 65535, int(rng.integers(1 << 16))]))
        strides = [0, row_bytes, (1 << 32) - 1, int(rng.integers(1 << 32))]
        tops = [0, space - 1, max(space - row_bytes, 0), (1 << 64) - 1, space >> 1]
        fields |= {
            "memory_address": tops[rng.integers(len(tops))] % (1 << 64),
            "memory_stride": int(rng.choice(strides)),
            "row_bytes": row_bytes,
            "rows": int(rng.choice([0, 1, 2, 3, 65535])),
            "local_row": int(rng.choice([0, 7, config.tile.scratchpad_rows - 300])),
            "local_stride": int(rng.choice([0, 1, -(-row_bytes // flit)])),
            "endpoint": int(rng.integers(config.mesh.memory_endpoints + 1)),
            "pad_value": int(rng.integers(1 << 32)),
        }
        if rng.random() < 0.5:
            small = ("local_stride_1", "local_stride_2", "local_stride_3")
            fields |= {name: int(rng.integers(3)) for name in small}
            fields |= {"row_bytes": int(rng.integers(1, 3 * flit))}
        command = TensorCommand(Opcode.LOAD, fields)
        if rng.random() < 0.2:
            counts = [0, 1, 3, 65535, int(rng.integers(1 << 16))]
            fill = {name: int(rng.choice(counts)) for name in ("rows", "columns", "stride")}
            fill |= {"row": int(rng.choice([0, 5, 1 << 31, config.tile.scratchpad_rows - 1]))}
            command = TensorCommand(Opcode.FILL, {**fill, "value": int(rng.integers(1 << 32))})
        commands.append(command)
    return commands


@pytest.mark.parametrize(
    ("array", "packet", "address_bits", "endpoints"),
    [(4, 64, 16, 1), (16, 512, 33, 2), (64, 64, 64, 1), (128, 4096, 40, 3)],
)
def test_dma_pattern_of_tensors(array, packet, address_bits, endpoints):
    """The same for loops, padding and fills."""
    config = chip(array, packet, address_bits, endpoints=endpoints)
    seed = int(np.random.default_rng().integers(1 << 31))
    print(f"seed {seed}")
    commands = random_tensor_commands(np.random.default_rng(seed), config, 150)
    for command, got in zip(commands, run(config, commands, tensor=True), strict=True):
        items = golden_accesses(config, command.opcode, command.fields, None)
        want = list(islice(items, LIMIT + 2))
        for i, (have, item) in enumerate(zip(got, want[: LIMIT + 1], strict=False)):
            where = f"access {i} of {command}: {have}, not {item}"
            if isinstance(item, Fault):
                assert (have["status"], have["address"]) == (item.status, item.address), where
                continue
            assert have["status"] == Status.OK, where
            assert (have["length"], have["row"]) == (item.length, item.row), where
            assert have["flits_less_one"] == -(-item.length // config.flit_bytes) - 1, where
            assert have["fill"] == (item.value is not None), where
            if item.value is None:
                assert (have["address"], have["endpoint"]) == (item.address, command.endpoint)
            else:
                assert have["value"] == item.value, where
        assert len(got) == min(len(want), LIMIT + 2), f"{command}"


def test_dma_pattern_long_runs():
    """A run of rows whose product or packet count is cut."""
    config = chip(4, 512, 40, scratchpad_kib=32768)
    for rows, flits in ((65535, 1), (257, 1023), (9, 16383), (17000, 33)):
        row_bytes = 4 * flits
        command = Command(1, row_bytes, row_bytes, rows, 3, flits)
        packets = -(-rows * row_bytes // 512)
        check(config, [command, Command(row_bytes=9)], limit=packets + 1)
