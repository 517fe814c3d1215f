"""The register bank alone: what no host can bring about in a short simulation."""

import cocotb
from cocotbext.axi import AxiLiteBus, AxiLiteMaster
from weft_hw.control.bank import RegisterBank, StoredValues, Strobes, Values
from weft_hw.control.registers import Access, register_map
from weft_hw.presets import preset
from weft_sim.bench import Bench, pack, run_bench, unpack

CONFIG = preset("nano")
OFFSETS = {register.name: register.offset for register in register_map(CONFIG)}


class Host:
    """An AXI4-Lite manager that takes register names."""

    def __init__(self, dut):
        self.bench = Bench(dut)
        self.dut = dut
        self._lite = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "bus_"), dut.clk, dut.rst)
        for half in (self._lite.write_if, self._lite.read_if):
            half.log.setLevel("ERROR")

    async def read(self, name):
        answer = await self._lite.read(OFFSETS[name], 4)
        return int.from_bytes(answer.data, "little")

    async def write(self, name, value, lane=0):
        await self._lite.write(OFFSETS[name] + lane, value)

    def show(self, **values):
        self.dut.values.value = pack(Values(CONFIG), values)


@cocotb.test(timeout_time=100, timeout_unit="us")
async def both_halves_of_a_counter_are_of_one_time(dut):
    """The high half read after a carry out of the low half."""
    host = Host(dut)
    await host.bench.reset()
    host.show(CYCLE_LO=0xFFFF_FFFF, CYCLE_HI=6, DOORBELL_CYCLE_LO=1, DOORBELL_CYCLE_HI=2)
    assert await host.read("CYCLE_LO") == 0xFFFF_FFFF
    host.show(CYCLE_LO=0, CYCLE_HI=7, DOORBELL_CYCLE_LO=3, DOORBELL_CYCLE_HI=4)
    assert await host.read("CYCLE_HI") == 6
    assert await host.read("DOORBELL_CYCLE_LO") == 3
    assert await host.read("CYCLE_HI") == 6
    assert await host.read("DOORBELL_CYCLE_HI") == 4
    assert await host.read("CYCLE_LO") == 0
    assert await host.read("CYCLE_HI") == 7


@cocotb.test(timeout_time=100, timeout_unit="us")
async def strobes_and_data_come_together(dut):
    """A strobe for another register, before its value, for more than a cycle, or with bytes the
    host did not write."""
    host = Host(dut)
    await host.bench.reset()
    seen = []

    async def watch():
        while True:
            await host.bench.cycles(1)
            written = unpack(Strobes(CONFIG), int(dut.written.value))
            names = [name for name, strobe in written.items() if strobe]
            if names:
                stored = unpack(StoredValues(CONFIG), int(dut.stored.value))
                seen.append((names, int(dut.data.value), stored.get(names[0])))

    watcher = cocotb.start_soon(watch())
    await host.write("TAIL", b"\x44\x33\x22\x11")
    await host.write("TAIL", b"\x99", lane=2)
    await host.write("RESET", b"\x01\0\0\0")
    await host.write("INTERRUPT_STATUS", b"\x02", lane=0)
    await host.write("SEQUENCE", b"\xff\xff\xff\xff")
    await host.bench.cycles(5)
    watcher.cancel()
    assert seen == [
        (["TAIL"], 0x11223344, 0x11223344),
        (["TAIL"], 0x00990000, 0x11993344),
        (["RESET"], 1, None),
        (["INTERRUPT_STATUS"], 2, None),
    ]


@cocotb.test(timeout_time=100, timeout_unit="us")
async def clear_resets_the_queues_registers_only(dut):
    """A queue reset that leaves CONTROL or TAIL, or takes more than them."""
    host = Host(dut)
    await host.bench.reset()
    names = [r.name for r in register_map(CONFIG) if r.access is Access.READ_WRITE]
    for name in names:
        await host.write(name, b"\x0f\0\0\0")
    dut.clear.value = 1
    await host.bench.cycles(1)
    dut.clear.value = 0
    for name in names:
        assert await host.read(name) == (0 if name in ("CONTROL", "TAIL") else 0x0F), name


def test_control_bank():
    bank = RegisterBank(CONFIG, cleared=("CONTROL", "TAIL"))
    run_bench(bank, "register_bank", __name__)
