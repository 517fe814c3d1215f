"""The block for Zynq-class devices: names, the register window's two pages, moved addresses."""

import json

import cocotb
import pytest
from amaranth.hdl import ClockSignal, Module, ResetSignal
from amaranth.lib import wiring
from axi_memory import FaultyBytes
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiResp, AxiSlave
from weft.cli import main
from weft.commands import pack
from weft_hw.boards.zynq import BASE_HI, BASE_LO, WINDOW_BYTES, ZynqWrapper
from weft_hw.control.registers import IDENTITY, register_map
from weft_hw.isa import Opcode
from weft_hw.presets import preset
from weft_hw.verilog import to_verilog
from weft_sim.bench import Bench, run_bench
from weft_sim.bench.pauses import random_pauses

CONFIG = preset("nano")
OFFSETS = {register.name: register.offset for register in register_map(CONFIG)}
MEMORY_BYTES = 1 << 16
#: Where memory begins for the chip's managers; the bits below a page and above 32 count too.
BASE = 0x8_0000_7000


class _Rig(wiring.Component):
    """The wrapper with the bench's clock and reset."""

    def __init__(self):
        self.wrapper = ZynqWrapper(CONFIG)
        members = self.wrapper.signature.members
        super().__init__(
            {name: members[name] for name in members if name not in ("aclk", "aresetn")}
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.wrapper = wrapper = self.wrapper
        m.d.comb += [wrapper.aclk.eq(ClockSignal()), wrapper.aresetn.eq(~ResetSignal())]
        for name, member in self.signature.members.items():
            inner, outer = getattr(wrapper, name), getattr(self, name)
            if member.flow is wiring.Out:
                m.d.comb += outer.eq(inner)
            else:
                m.d.comb += inner.eq(outer)
        return m


class _Host:
    """The processing system's side: registers, and memory that begins at ``BASE``."""

    def __init__(self, dut, stall):
        self.bench = Bench(dut)
        self.lite = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.clk, dut.rst)
        for half in (self.lite.write_if, self.lite.read_if):
            half.log.setLevel("ERROR")
        channels = {
            self.lite.write_if: ("aw_channel", "w_channel", "b_channel"),
            self.lite.read_if: ("ar_channel", "r_channel"),
        }
        _pause(self.bench, channels, stall)
        # both ports see the same bytes
        self.data = bytearray(MEMORY_BYTES)
        for name in ("host", "mem_0"):
            bus = AxiBus.from_prefix(dut, f"m_axi_{name}")
            slave = AxiSlave(bus, dut.clk, dut.rst, _AtBase(self.data))
            for half in (slave.write_if, slave.read_if):
                half.log.setLevel("ERROR")
            slaves = {
                slave.write_if: ("aw_channel", "w_channel", "b_channel"),
                slave.read_if: ("ar_channel", "r_channel"),
            }
            _pause(self.bench, slaves, stall)

    async def write(self, offset, value):
        answer = await self.lite.write(offset, value.to_bytes(4, "little"))
        return answer.resp

    async def read(self, offset):
        answer = await self.lite.read(offset, 4)
        return answer.resp, int.from_bytes(answer.data, "little")


def _pause(bench, channels, stall):
    for half, names in channels.items():
        for name in names if stall else ():
            getattr(half, name).set_pause_generator(random_pauses(bench.rng, stall))


class _AtBase(FaultyBytes):
    """Bytes from ``BASE`` on; an access below fails."""

    def __init__(self, data):
        super().__init__(0)
        self.data = data

    async def read(self, address, length):
        return await super().read(_place(address), length)

    async def write(self, address, data):
        await super().write(_place(address), data)


def _place(address):
    if address < BASE:
        raise ValueError(f"{address:#x} is below the memory")
    return address - BASE


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(stall_percent=[0, 40])
async def program_runs_in_memory_at_base(dut, stall_percent):
    """An address without base, with half of it, or of one channel only; a response lost."""
    host = _Host(dut, stall_percent / 100)
    await host.bench.reset()
    await host.write(BASE_LO, BASE & 0xFFFF_FFFF)
    await host.write(BASE_HI, BASE >> 32)
    content = host.bench.rng.bytes(64)
    host.data[0x4000:0x4040] = content
    load = {"memory_address": 0x4000, "memory_stride": 4, "row_bytes": 4, "rows": 16}
    commands = (
        pack(Opcode.LOAD, signal=1, local_stride=1, **load)
        + pack(Opcode.STORE, wait=1, local_stride=1, **load | {"memory_address": 0x5000})
        + pack(Opcode.FENCE, sequence=7, interrupt=1)
    )
    host.data[: len(commands)] = commands
    for name, value in {
        "WINDOW_0_BASE": 4,
        "WINDOW_0_LIMIT": 6,
        "WINDOW_0_ACCESS": 3,
        "QUEUE_LOG2": 3,
        "COMPLETION_BASE_LO": 0x1000,
        "COMPLETION_LOG2": 3,
        "INTERRUPT_ENABLE": 1,
        "CONTROL": 1,
        "TAIL": 3,
    }.items():
        assert await host.write(OFFSETS[name], value) == AxiResp.OKAY
    while not dut.interrupt.value:
        await host.bench.cycles(10)
    assert (await host.read(OFFSETS["ERROR_STATUS"])) == (AxiResp.OKAY, 0)
    assert bytes(host.data[0x5000:0x5040]) == content
    record = 0x1000 + 7 % 8 * 32
    assert 7 in host.data[record : record + 32]


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(stall_percent=[0, 40])
async def both_pages_answer(dut, stall_percent):
    """A page that answers for the other, a strobe that is ignored, an answer that never comes."""
    host = _Host(dut, stall_percent / 100)
    await host.bench.reset()
    assert await host.read(OFFSETS["IDENTITY"]) == (AxiResp.OKAY, IDENTITY)
    assert await host.read(BASE_LO) == (AxiResp.OKAY, 0)
    assert await host.write(BASE_LO, 0x12345678) == AxiResp.OKAY
    assert await host.write(BASE_HI, 0x9ABCDEF0) == AxiResp.OKAY
    assert (await host.lite.write(BASE_LO + 1, b"\xff")).resp == AxiResp.OKAY
    assert await host.read(BASE_LO) == (AxiResp.OKAY, 0x1234FF78)
    assert await host.read(BASE_HI) == (AxiResp.OKAY, 0x9ABCDEF0)
    # the same place in the other page is untouched
    assert await host.read(BASE_LO % 0x1000) == (AxiResp.OKAY, IDENTITY)
    for offset in (BASE_HI + 4, WINDOW_BYTES - 4, 0xFFC):
        assert await host.write(offset, 1) == AxiResp.SLVERR
        assert (await host.read(offset))[0] == AxiResp.SLVERR
    for value in range(20):
        offsets = host.bench.rng.permutation([OFFSETS["WATCHDOG"], BASE_LO])
        for offset in offsets.tolist():
            await host.write(offset, value)
        for offset in offsets[::-1].tolist():
            assert await host.read(offset) == (AxiResp.OKAY, value)


def test_zynq_wrapper():
    run_bench(_Rig(), "zynq_wrapper", __name__)


@pytest.mark.parametrize("name", ["nano", "quad"])
def test_ports_are_named_for_the_packager(name):
    """Vivado finds interfaces by the names of their signals, and their clock by an attribute."""
    config = preset(name)
    wrapper = ZynqWrapper(config)
    names = set(wrapper.signature.members)
    memories = [f"m_axi_mem_{i}" for i in range(config.mesh.memory_endpoints)]
    for bus in ("m_axi_host", *memories):
        assert {
            f"{bus}_{signal}" for signal in ("awaddr", "wlast", "bready", "arlen", "rdata")
        } <= names
    text = to_verilog(wrapper, "weft_zynq", assertions=False).text
    buses = ":".join(["s_axi", "m_axi_host", *memories])
    assert f"ASSOCIATED_BUSIF {buses}, ASSOCIATED_RESET aresetn" in text
    assert '"POLARITY ACTIVE_LOW"' in text
    assert "module weft_zynq(" in text


def test_command_writes_clean_verilog(tmp_path, capsys):
    arguments = ["verilog", "--preset", "nano", "--wrapper", "zynq", "-o", str(tmp_path), "--lint"]
    assert main(arguments) == 0
    assert "lint: clean" in capsys.readouterr().out
    listed = json.loads((tmp_path / "ports.json").read_text())
    assert listed["top"] == "weft_nano_zynq"
    assert {"aclk", "aresetn", "s_axi_awaddr"} <= {port["name"] for port in listed["ports"]}
    assert "module weft_nano_zynq(" in (tmp_path / "weft_nano_zynq.v").read_text()
