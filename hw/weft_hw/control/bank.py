"""The register bank: an AXI4-Lite subordinate that walks the register map.

Reads and writes answer OKAY, or SLVERR where the map has no register. A write to a read-only
register does nothing. Byte strobes count.
"""

from amaranth.hdl import C, Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..axi.signature import RESPONSE_OKAY, AxiLite
from .registers import ADDRESS_BITS, Access, constants, register_map

__all__ = ["RESPONSE_SLVERR", "RegisterBank", "StoredValues", "Strobes", "Values"]

#: ``xRESP``: there is no such register.
RESPONSE_SLVERR = 2


class Values(data.StructLayout):
    """What the hardware shows: registers the host reads but does not set, 32 bits each."""

    def __init__(self, config):
        fixed = constants(config)
        super().__init__({
            register.name: 32 for register in register_map(config)
            if register.access in (Access.READ_ONLY, Access.WRITE_ONE_CLEARS)
            and register.name not in fixed})


class StoredValues(data.StructLayout):
    """What the host has set: read-write registers, 32 bits each."""

    def __init__(self, config):
        super().__init__({register.name: 32 for register in register_map(config)
                          if register.access is Access.READ_WRITE})


class Strobes(data.StructLayout):
    """One bit for each register that can be written."""

    def __init__(self, config):
        super().__init__({register.name: 1 for register in register_map(config)
                          if register.access is not Access.READ_ONLY})


class RegisterBank(wiring.Component):
    """Serves the register map. Reading the ``_LO`` of a pair the hardware shows latches its
    ``_HI``.

    Latency: 1 cycle from an accepted address (and data) to the response.  Throughput: one access
    every 2 cycles each way.

    Members
    -------
    bus : In(AxiLite)
    values : In(Values)
    stored : Out(StoredValues)
        a written value shows together with its strobe
    written : Out(Strobes)
        high for one cycle, the one after the write was accepted
    data : Out(32)
        the written word where strobes are, zero in bytes without a strobe; goes with ``written``
    clear : In(1)
        resets the registers named in ``cleared``
    """

    def __init__(self, config, *, cleared=()):
        self.config = config
        self.cleared = cleared
        super().__init__({
            "bus": In(AxiLite(address_bits=ADDRESS_BITS)),
            "values": In(Values(config)),
            "stored": Out(StoredValues(config)),
            "written": Out(Strobes(config)),
            "data": Out(32),
            "clear": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        self._writes(m)
        self._reads(m)
        return m

    def _writes(self, m):
        bus = self.bus
        accept = Signal()
        lanes = Cat(strobe.replicate(8) for strobe in bus.wstrb)
        m.d.comb += [
            accept.eq(bus.awvalid & bus.wvalid & (~bus.bvalid | bus.bready)),
            bus.awready.eq(accept),
            bus.wready.eq(accept),
        ]
        for register in register_map(self.config):
            if register.access is not Access.READ_ONLY:
                m.d.sync += self.written[register.name].eq(
                    accept & (bus.awaddr[2:] == register.offset // 4))
        with m.If(bus.bready):
            m.d.sync += bus.bvalid.eq(0)
        with m.If(self.clear):
            for register in register_map(self.config):
                if register.name in self.cleared:
                    m.d.sync += self.stored[register.name].eq(register.reset)
        with m.If(accept):
            m.d.sync += [
                bus.bvalid.eq(1),
                bus.bresp.eq(RESPONSE_OKAY),
                self.data.eq(bus.wdata & lanes),
            ]
            with m.Switch(bus.awaddr[2:]):
                for register in register_map(self.config):
                    with m.Case(register.offset // 4):
                        if register.access is Access.READ_WRITE:
                            stored = self.stored[register.name]
                            m.d.sync += stored.eq(bus.wdata & lanes | stored & ~lanes)
                with m.Default():
                    m.d.sync += bus.bresp.eq(RESPONSE_SLVERR)

    def _reads(self, m):
        bus = self.bus
        accept = Signal()
        m.d.comb += [
            accept.eq(bus.arvalid & (~bus.rvalid | bus.rready)),
            bus.arready.eq(accept),
        ]
        with m.If(bus.rready):
            m.d.sync += bus.rvalid.eq(0)
        fixed = constants(self.config)
        latches = {name: Signal(32, name=f"{name.lower()}_latched") for name in self._pairs()}
        words = {}
        for register in register_map(self.config):
            name = register.name
            if name in fixed:
                word = C(fixed[name], 32)
            elif name in latches:
                word = latches[name]
            elif register.access is Access.READ_WRITE:
                word = self.stored[name]
            elif register.access is Access.COMMAND:
                word = C(0, 32)
            else:
                word = self.values[name]
            words[register.offset // 4] = word
            high = name.removesuffix("_LO") + "_HI"
            if name.endswith("_LO") and high in latches:
                with m.If(accept & (bus.araddr[2:] == register.offset // 4)):
                    m.d.sync += latches[high].eq(self.values[high])
        known = {number: C(1, 1) for number in words}
        with m.If(accept):
            m.d.sync += [
                bus.rvalid.eq(1),
                bus.rdata.eq(_pick(words, bus.araddr[2:])),
                bus.rresp.eq(Mux(_pick(known, bus.araddr[2:]), RESPONSE_OKAY, RESPONSE_SLVERR)),
            ]

    def _pairs(self):
        """``_HI`` registers that reading their ``_LO`` latches."""
        shown = Values(self.config).members
        return [name for name in shown
                if name.endswith("_HI") and name.removesuffix("_HI") + "_LO" in shown]


def _pick(words, index):
    """``words[index]``, zero where there is none: a tree by the bits of ``index``, the first bit at
    its leaves."""
    if not words:
        return C(0, 1)
    if len(index) == 0:
        return words[0]
    half = 1 << len(index) - 1
    lower = {number: word for number, word in words.items() if number < half}
    upper = {number - half: word for number, word in words.items() if number >= half}
    return Mux(index[-1], _pick(upper, index[:-1]), _pick(lower, index[:-1]))
