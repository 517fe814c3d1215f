"""The chip as a block for Zynq-class devices: AXI ports as Vivado's IP packager expects them.

::

    s_axi (AXI4-Lite) --+-- page 0 -> registers --- chip --- host, memory[i]
                        `-- page 1 -> base --------------------- + -> m_axi_host, m_axi_mem_<i>

The chip numbers its memory from 0. A processing system's memory is part of its own address space,
so every address that leaves has ``base`` added, which the driver sets to where its buffer lies.
"""

from amaranth.hdl import (
    Cat,
    ClockDomain,
    ClockSignal,
    DomainRenamer,
    Module,
    Mux,
    ResetSignal,
    Signal,
    unsigned,
)
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..axi.signature import RESPONSE_OKAY, Axi4, AxiLite
from ..chip import Chip
from ..control.bank import RESPONSE_SLVERR
from ..control.registers import ADDRESS_BITS
from ..streams.slice import Slice

__all__ = ["BASE_HI", "BASE_LO", "WINDOW_BYTES", "ZynqWrapper"]

#: Bytes of the register window: the chip's page, then the wrapper's.
WINDOW_BYTES = 2 << ADDRESS_BITS
#: Registers of the wrapper, read-write, 0 after reset: bits 31:0 and 63:32 of the memory's base.
#: Set them while nothing runs.
BASE_LO, BASE_HI = 1 << ADDRESS_BITS, (1 << ADDRESS_BITS) + 4

_ADDRESS_CHANNELS = ("aw", "ar")


class ZynqWrapper(wiring.Component):
    """A chip between one AXI4-Lite subordinate and AXI4 managers, in one clock domain.

    Latency: that of the chip, and a cycle for each address that leaves it.

    Members
    -------
    aclk : In(1), aresetn : In(1)
        Reset is synchronous and active low.
    s_axi_* : AXI4-Lite subordinate, 32 bits, ``WINDOW_BYTES``
    m_axi_host_*, m_axi_mem_<i>_* : AXI4 managers, a flit wide
        command ring and completion records; memory endpoint ``i``
    interrupt : Out(1)
        level, until the driver clears its cause
    """

    def __init__(self, config):
        self.config = config
        axi = Axi4(address_bits=config.host.address_bits, data_bytes=config.flit_bytes)
        self.managers = {"m_axi_host": axi}
        self.managers |= {f"m_axi_mem_{i}": axi for i in range(config.mesh.memory_endpoints)}
        super().__init__({
            "aclk": In(1), "aresetn": In(1), "interrupt": Out(1),
            **_flat("s_axi", AxiLite(address_bits=ADDRESS_BITS + 1).flip()),
            **{name: member for prefix, signature in self.managers.items()
               for name, member in _flat(prefix, signature).items()},
        })
        self.aclk.attrs["X_INTERFACE_INFO"] = "xilinx.com:signal:clock:1.0 aclk CLK"
        self.aclk.attrs["X_INTERFACE_PARAMETER"] = (
            f"ASSOCIATED_BUSIF {':'.join(['s_axi', *self.managers])}, ASSOCIATED_RESET aresetn")
        self.aresetn.attrs["X_INTERFACE_INFO"] = "xilinx.com:signal:reset:1.0 aresetn RST"
        self.aresetn.attrs["X_INTERFACE_PARAMETER"] = "POLARITY ACTIVE_LOW"
        self.interrupt.attrs["X_INTERFACE_INFO"] = (
            "xilinx.com:signal:interrupt:1.0 interrupt INTERRUPT")
        self.interrupt.attrs["X_INTERFACE_PARAMETER"] = "SENSITIVITY LEVEL_HIGH"

    def elaborate(self, platform):
        m = Module()
        m.domains.axi = ClockDomain("axi")
        m.d.comb += [ClockSignal("axi").eq(self.aclk), ResetSignal("axi").eq(~self.aresetn)]
        chip = Chip(self.config)
        m.submodules.chip = DomainRenamer("axi")(chip)
        m.d.comb += self.interrupt.eq(chip.interrupt)
        base = Signal(64)
        self._write_registers(m, chip.registers, base)
        self._read_registers(m, chip.registers, base)
        for prefix, port in zip(self.managers, [chip.host, *chip.memory], strict=True):
            self._manage(m, prefix, port, base)
        return m

    def _write_registers(self, m, registers, base):
        """Writes go by their address's page; one is answered before the next."""
        bus = _Ports(self, "s_axi")
        own, accept, answers, answer = Signal(), Signal(), Signal(), Signal(2)
        m.d.comb += [
            own.eq(bus.awaddr[ADDRESS_BITS]),
            accept.eq(own & bus.awvalid & bus.wvalid & ~answers & ~registers.bvalid),
            registers.awaddr.eq(bus.awaddr[:ADDRESS_BITS]),
            registers.awprot.eq(bus.awprot),
            registers.awvalid.eq(bus.awvalid & ~own & ~answers),
            registers.wdata.eq(bus.wdata), registers.wstrb.eq(bus.wstrb),
            registers.wvalid.eq(bus.wvalid & bus.awvalid & ~own & ~answers),
            bus.awready.eq(accept | (registers.awvalid & registers.awready)),
            bus.wready.eq(accept | (registers.wvalid & registers.wready)),
            bus.bvalid.eq(answers | registers.bvalid),
            bus.bresp.eq(Mux(answers, answer, registers.bresp)),
            registers.bready.eq(bus.bready & ~answers),
        ]
        lanes = Cat(strobe.replicate(8) for strobe in bus.wstrb)
        with m.If(answers & bus.bready):
            m.d.axi += answers.eq(0)
        with m.If(accept):
            m.d.axi += [answers.eq(1), answer.eq(RESPONSE_SLVERR)]
            for half, offset in enumerate((BASE_LO, BASE_HI)):
                word = base.word_select(half, 32)
                with m.If(bus.awaddr[2:] == offset >> 2):
                    m.d.axi += [
                        word.eq((bus.wdata & lanes) | (word & ~lanes)), answer.eq(RESPONSE_OKAY),
                    ]

    def _read_registers(self, m, registers, base):
        bus = _Ports(self, "s_axi")
        own, accept, answers = Signal(), Signal(), Signal()
        answer, word = Signal(2), Signal(32)
        m.d.comb += [
            own.eq(bus.araddr[ADDRESS_BITS]),
            accept.eq(own & bus.arvalid & ~answers & ~registers.rvalid),
            registers.araddr.eq(bus.araddr[:ADDRESS_BITS]),
            registers.arprot.eq(bus.arprot),
            registers.arvalid.eq(bus.arvalid & ~own & ~answers),
            bus.arready.eq(accept | (registers.arvalid & registers.arready)),
            bus.rvalid.eq(answers | registers.rvalid),
            bus.rresp.eq(Mux(answers, answer, registers.rresp)),
            bus.rdata.eq(Mux(answers, word, registers.rdata)),
            registers.rready.eq(bus.rready & ~answers),
        ]
        with m.If(answers & bus.rready):
            m.d.axi += answers.eq(0)
        with m.If(accept):
            m.d.axi += [answers.eq(1), answer.eq(RESPONSE_SLVERR), word.eq(0)]
            for half, offset in enumerate((BASE_LO, BASE_HI)):
                with m.If(bus.araddr[2:] == offset >> 2):
                    m.d.axi += [word.eq(base.word_select(half, 32)), answer.eq(RESPONSE_OKAY)]

    def _manage(self, m, prefix, port, base):
        """A manager of the chip, its addresses moved by ``base``."""
        bus, bits = _Ports(self, prefix), self.config.host.address_bits
        layout = data.StructLayout({"addr": unsigned(bits), "len": unsigned(8)})
        for channel in _ADDRESS_CHANNELS:
            register = Slice(layout)
            m.submodules[f"{prefix}_{channel}"] = DomainRenamer("axi")(register)
            m.d.comb += [
                register.i.payload.addr.eq((getattr(port, f"{channel}addr") + base)[:bits]),
                register.i.payload.len.eq(getattr(port, f"{channel}len")),
                register.i.valid.eq(getattr(port, f"{channel}valid")),
                getattr(port, f"{channel}ready").eq(register.i.ready),
                getattr(bus, f"{channel}addr").eq(register.o.payload.addr),
                getattr(bus, f"{channel}len").eq(register.o.payload.len),
                getattr(bus, f"{channel}valid").eq(register.o.valid),
                register.o.ready.eq(getattr(bus, f"{channel}ready")),
            ]
        moved = {f"{channel}{name}" for channel in _ADDRESS_CHANNELS
                 for name in ("addr", "len", "valid", "ready")}
        for name, member in self.managers[prefix].members.items():
            if name not in moved:
                mine, its = getattr(bus, name), getattr(port, name)
                m.d.comb += mine.eq(its) if member.flow is Out else its.eq(mine)


class _Ports:
    """The members ``<prefix>_*`` of a component without their prefix."""

    def __init__(self, component, prefix):
        self._component, self._prefix = component, prefix

    def __getattr__(self, name):
        return getattr(self._component, f"{self._prefix}_{name}")


def _flat(prefix, signature):
    """The members of a signature as one port each, with the names that Xilinx' tools know."""
    return {f"{prefix}_{name}": member for name, member in signature.members.items()}
