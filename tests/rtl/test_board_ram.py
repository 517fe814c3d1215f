"""On-chip memory: two AXI4 managers nobody here wrote, and the bridge's port, on one memory."""

import cocotb
import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from cocotbext.axi import AxiBus, AxiMaster, AxiResp
from weft_hw.axi.signature import Axi4
from weft_hw.boards.axi_ram import FIRST_BEAT_CYCLES, AxiRam
from weft_hw.boards.ram import SharedRam
from weft_hw.streams.link import link
from weft_sim.bench import Bench, run_bench
from weft_sim.bench.pauses import random_pauses

ADDRESS_BITS = 40
DATA_BYTES = 8
MEMORY_BYTES = 8192
MANAGERS = 2


class _Rig(wiring.Component):
    """Two subordinates and their memory."""

    def __init__(self):
        axi = Axi4(address_bits=ADDRESS_BITS, data_bytes=DATA_BYTES)
        super().__init__({"axi": In(axi).array(MANAGERS)})

    def elaborate(self, platform):
        m = Module()
        rows = MEMORY_BYTES // DATA_BYTES
        m.submodules.ram = ram = SharedRam(rows=rows, data_bytes=DATA_BYTES, ports=MANAGERS)
        for number in range(MANAGERS):
            subordinate = AxiRam(address_bits=ADDRESS_BITS, data_bytes=DATA_BYTES, rows=rows)
            m.submodules[f"axi_{number}"] = subordinate
            link(m, wiring.flipped(self.axi[number]), subordinate.axi)
            link(m, subordinate.ram, ram.port[number])
        return m


def managers(bench, stall):
    made = []
    for number in range(MANAGERS):
        bus = AxiBus.from_prefix(bench.dut, f"axi__{number}_")
        master = AxiMaster(bus, bench.dut.clk, bench.dut.rst)
        channels = {
            master.write_if: ("aw_channel", "w_channel", "b_channel"),
            master.read_if: ("ar_channel", "r_channel"),
        }
        for half, names in channels.items():
            half.log.setLevel("ERROR")
            for name in names if stall else ():
                getattr(half, name).set_pause_generator(random_pauses(bench.rng, stall))
        made.append(master)
    return made


async def traffic(bench, master, base, size, count):
    """Random reads and writes of one half of the memory, checked at once."""
    want = bytearray(size)
    await master.write(base, bytes(size))
    for _ in range(count):
        length = int(bench.rng.choice([1, 7, 8, 9, 64, 300]))
        place = int(bench.rng.integers(0, size - length))
        if bench.rng.random() < 0.5:
            data = bench.rng.bytes(length)
            await master.write(base + place, data)
            want[place : place + length] = data
        else:
            got = await master.read(base + place, length)
            assert bytes(got.data) == want[place : place + length]
            assert got.resp == AxiResp.OKAY
    got = await master.read(base, size)
    np.testing.assert_array_equal(bytearray(got.data), want)


@cocotb.test(timeout_time=3, timeout_unit="ms")
@cocotb.parametrize(stall_percent=[0, 40])
async def managers_keep_out_of_each_other(dut, stall_percent):
    """A beat for the other manager, one lost where both want the memory, a wrong strobe or row."""
    bench = Bench(dut)
    both = managers(bench, stall_percent / 100)
    await bench.reset()
    half = MEMORY_BYTES // MANAGERS
    tasks = [
        cocotb.start_soon(traffic(bench, master, half * number, half, 60))
        for number, master in enumerate(both)
    ]
    for task in tasks:
        await task


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def beyond_the_memory_is_an_error(dut):
    """An address that wraps into the memory; an answer that never comes."""
    bench = Bench(dut)
    master = managers(bench, 0)[0]
    await bench.reset()
    await master.write(0, b"\x11" * 256)
    for address in (MEMORY_BYTES, MEMORY_BYTES * 2, 1 << 32, (1 << ADDRESS_BITS) - 256):
        assert (await master.write(address, b"\xff" * 256)).resp == AxiResp.SLVERR
        got = await master.read(address, 256)
        assert got.resp == AxiResp.SLVERR
        assert bytes(got.data) == bytes(256)
    got = await master.read(0, 256)
    assert (bytes(got.data), got.resp) == (b"\x11" * 256, AxiResp.OKAY)


async def beats(bench, channel, count):
    """The cycles of the next handshakes of a channel of manager 0."""
    at = []
    valid, ready = (getattr(bench.dut, f"axi__0__{channel}{end}") for end in ("valid", "ready"))
    while len(at) < count:
        await bench.cycles()
        if valid.value and ready.value:
            at.append(bench.cycle)
    return at


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_lone_manager_gets_a_beat_a_cycle(dut):
    """A bubble between beats: half the speed; a latency that is not what the docstrings say."""
    bench = Bench(dut)
    master = managers(bench, 0)[0]
    await bench.reset()
    count = 256
    channels = {"ar": 1, "r": count, "w": count, "b": 1}
    seen = {name: cocotb.start_soon(beats(bench, name, n)) for name, n in channels.items()}
    await master.read(0, count * DATA_BYTES)
    await master.write(0, bytes(count * DATA_BYTES))
    at = {name: await task for name, task in seen.items()}
    assert at["r"][0] - at["ar"][0] == FIRST_BEAT_CYCLES
    assert at["r"][-1] - at["r"][0] == count - 1
    assert at["w"][-1] - at["w"][0] == count - 1
    assert at["b"][0] - at["w"][-1] == 3


def test_board_ram():
    run_bench(_Rig(), "board_ram", __name__)
