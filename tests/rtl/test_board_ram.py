"""On-chip memory: two AXI4 managers nobody here wrote, and the bridge's port, on one memory."""

import cocotb
import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from cocotbext.axi import AxiBus, AxiMaster, AxiResp
from weft_hw.axi.signature import Axi4
from weft_hw.boards.axi_ram import AxiRam
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


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_lone_manager_gets_a_beat_a_cycle(dut):
    """A bubble between beats: reads at half speed."""
    bench = Bench(dut)
    master = managers(bench, 0)[0]
    await bench.reset()
    beats = 256
    start = bench.cycle
    reading = cocotb.start_soon(master.read(0, beats * DATA_BYTES))
    last = seen = 0
    while seen < beats:
        await bench.cycles()
        if dut.axi__0__rvalid.value and dut.axi__0__rready.value:
            seen += 1
            last = bench.cycle
    await reading
    assert last - start < beats + 20


def test_board_ram():
    run_bench(_Rig(), "board_ram", __name__)
