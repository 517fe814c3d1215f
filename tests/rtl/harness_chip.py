"""A chip for the harness's tests: registers and a copy engine on every AXI port.

It has the top-level ports of ``weft_hw.chip.Chip`` with port widths of one's choice, so that
the harness is tested on its own and at all widths. Fault bits make it break the AXI rules on
purpose.
"""

from amaranth.hdl import Assert, Cat, Module, Signal, unsigned
from amaranth.lib import fifo, wiring
from amaranth.lib.wiring import In, Out
from weft_hw.axi.signature import Axi4, AxiLite

__all__ = ["FAULTS", "REGISTERS", "CopyChip"]

#: Byte offsets of the registers. Engine ``e`` copies BEATS beats from ``SOURCE + e * STRIDE``
#: to ``DESTINATION + e * STRIDE`` in bursts of BURST + 1 beats.
REGISTERS = {
    "IDENTITY": 0x00,
    "SCRATCH": 0x04,
    "SOURCE": 0x08,
    "DESTINATION": 0x0C,
    "BEATS": 0x10,
    "BURST": 0x14,
    "STRIDE": 0x18,
    "FAULT": 0x1C,
    "STROBE": 0x20,
    "GO": 0x24,
    "DONE": 0x28,
    "READ_ERRORS": 0x2C,
    "WRITE_ERRORS": 0x30,
}

#: Bits of FAULT.
FAULTS = {
    "early_last": 1 << 0,
    "fixed_burst": 1 << 1,
    "narrow_size": 1 << 2,
    "drop_valid": 1 << 3,
    "change_data": 1 << 4,
    "assertion": 1 << 5,
    "deaf_registers": 1 << 6,
    "write_fixed_burst": 1 << 7,
}

IDENTITY = 0x59504F43
#: Register accesses at or above this offset answer SLVERR.
_ERROR_OFFSET = 0x800
_FIFO_BEATS = 512


class TraceSignature(wiring.Signature):
    def __init__(self):
        super().__init__(
            {
                "start": Out(1),
                "start_index": Out(32),
                "finish": Out(1),
                "finish_index": Out(32),
            }
        )


class _Registers(wiring.Component):
    """AXI4-Lite registers; one access at a time."""

    def __init__(self, engines):
        super().__init__(
            {
                "bus": In(AxiLite(address_bits=12)),
                "values": Out(unsigned(32)).array(16),
                "go": Out(engines),
                "done": In(engines),
                "read_errors": In(32),
                "write_errors": In(32),
                "interrupt": Out(1),
            }
        )
        self.engines = engines

    def elaborate(self, platform):
        m = Module()
        bus = self.bus
        latched = Signal(self.engines)
        write = Signal()
        deaf = self.values[REGISTERS["FAULT"] // 4][6]
        m.d.comb += [
            write.eq(bus.awvalid & bus.wvalid & ~bus.bvalid & ~deaf),
            bus.awready.eq(write),
            bus.wready.eq(write),
            bus.arready.eq(~bus.rvalid & ~deaf),
            self.interrupt.eq(latched.any()),
        ]
        m.d.sync += [self.go.eq(0), latched.eq(latched | self.done)]
        with m.If(bus.bvalid & bus.bready):
            m.d.sync += bus.bvalid.eq(0)
        with m.If(write):
            m.d.sync += [bus.bvalid.eq(1), bus.bresp.eq(0)]
            with m.If(bus.awaddr >= _ERROR_OFFSET):
                m.d.sync += bus.bresp.eq(2)
            with m.Elif(bus.awaddr == REGISTERS["GO"]):
                m.d.sync += self.go.eq(bus.wdata)
            with m.Elif(bus.awaddr == REGISTERS["DONE"]):
                m.d.sync += latched.eq((latched & ~bus.wdata) | self.done)
            for offset in range(0, 64, 4):
                with m.If(bus.awaddr == offset):
                    m.d.sync += self.values[offset // 4].eq(bus.wdata)
        with m.If(bus.rvalid & bus.rready):
            m.d.sync += bus.rvalid.eq(0)
        with m.If(bus.arvalid & bus.arready):
            m.d.sync += [bus.rvalid.eq(1), bus.rresp.eq(0), bus.rdata.eq(0)]
            with m.If(bus.araddr >= _ERROR_OFFSET):
                m.d.sync += bus.rresp.eq(2)
            for offset in range(0, 64, 4):
                with m.If(bus.araddr == offset):
                    m.d.sync += bus.rdata.eq(self.values[offset // 4])
            with m.If(bus.araddr == REGISTERS["IDENTITY"]):
                m.d.sync += bus.rdata.eq(IDENTITY)
            with m.If(bus.araddr == REGISTERS["DONE"]):
                m.d.sync += bus.rdata.eq(latched)
            with m.If(bus.araddr == REGISTERS["READ_ERRORS"]):
                m.d.sync += bus.rdata.eq(self.read_errors)
            with m.If(bus.araddr == REGISTERS["WRITE_ERRORS"]):
                m.d.sync += bus.rdata.eq(self.write_errors)
        return m


class _CopyEngine(wiring.Component):
    """Copies ``beats`` beats in bursts of ``burst + 1``; reads run ahead of writes."""

    def __init__(self, *, address_bits, data_bytes):
        super().__init__(
            {
                "go": In(1),
                "source": In(address_bits),
                "destination": In(address_bits),
                "beats": In(32),
                "burst": In(8),
                "fault": In(8),
                "strobe": In(data_bytes),
                "done": Out(1),
                "read_errors": Out(32),
                "write_errors": Out(32),
                "bus": Out(Axi4(address_bits=address_bits, data_bytes=data_bytes)),
                "trace": Out(TraceSignature()),
            }
        )
        self.data_bytes = data_bytes

    def elaborate(self, platform):
        m = Module()
        bus, size = self.bus, (self.data_bytes - 1).bit_length()
        m.submodules.data = data = fifo.SyncFIFOBuffered(
            width=8 * self.data_bytes, depth=_FIFO_BEATS
        )
        room = Signal(range(_FIFO_BEATS + 1), init=_FIFO_BEATS)
        to_read, to_send, to_ask, to_answer = (
            Signal(32, name=n) for n in ("to_read", "to_send", "to_ask", "to_answer")
        )
        read_beats, write_beats = Signal(9), Signal(9)
        last_count = Signal(9)
        busy, index, turn = Signal(), Signal(32), Signal()
        m.d.comb += [
            read_beats.eq(self.burst + 1),
            write_beats.eq(self.burst + 1),
            bus.arsize.eq(size - self.fault[2]),
            bus.awsize.eq(size),
            bus.arburst.eq(~self.fault[1]),
            bus.awburst.eq(~self.fault[7]),
            bus.rready.eq(data.w_rdy),
            data.w_en.eq(bus.rvalid & bus.rready),
            data.w_data.eq(bus.rdata),
            bus.bready.eq(1),
            bus.wvalid.eq(data.r_rdy & (to_send != 0)),
            bus.wdata.eq(data.r_data ^ Cat(turn & self.fault[4])),
            bus.wstrb.eq(~self.strobe),
            bus.wlast.eq(last_count == self.burst - self.fault[0]),
            data.r_en.eq(bus.wvalid & bus.wready),
            self.trace.start.eq(self.go & ~busy),
            self.trace.start_index.eq(index),
            self.trace.finish.eq(self.done),
            self.trace.finish_index.eq(index),
        ]
        m.d.sync += turn.eq(~turn)
        taken = Signal(9)
        ask_address, send_address = Signal.like(bus.araddr), Signal.like(bus.awaddr)
        # read addresses
        with m.If(bus.arvalid & bus.arready):
            m.d.sync += bus.arvalid.eq(0)
        with m.If(self.fault[3] & bus.arvalid):
            m.d.sync += bus.arvalid.eq(turn)
        with m.If((~bus.arvalid | bus.arready) & (to_ask != 0) & (room >= read_beats)):
            m.d.sync += [
                bus.arvalid.eq(1),
                bus.arlen.eq(self.burst),
                bus.araddr.eq(ask_address),
                ask_address.eq(ask_address + (read_beats << size)),
                to_ask.eq(to_ask - read_beats),
            ]
            m.d.comb += taken.eq(read_beats)
        m.d.sync += room.eq(room - taken + data.r_en)
        with m.If(bus.rvalid & bus.rready & (bus.rresp != 0)):
            m.d.sync += self.read_errors.eq(self.read_errors + 1)
        # write addresses
        with m.If(bus.awvalid & bus.awready):
            m.d.sync += bus.awvalid.eq(0)
        with m.If((~bus.awvalid | bus.awready) & (to_read != 0)):
            m.d.sync += [
                bus.awvalid.eq(1),
                bus.awlen.eq(self.burst),
                bus.awaddr.eq(send_address),
                send_address.eq(send_address + (write_beats << size)),
                to_read.eq(to_read - write_beats),
            ]
        with m.If(data.r_en):
            m.d.sync += [to_send.eq(to_send - 1), last_count.eq(last_count + 1)]
            with m.If(last_count == self.burst):
                m.d.sync += last_count.eq(0)
        with m.If(bus.bvalid):
            m.d.sync += to_answer.eq(to_answer - write_beats)
            with m.If(bus.bresp != 0):
                m.d.sync += self.write_errors.eq(self.write_errors + 1)
        m.d.comb += self.done.eq(busy & (to_answer == 0))
        with m.If(self.done):
            m.d.sync += [busy.eq(0), index.eq(index + 1)]
        with m.If(self.go & ~busy):
            m.d.sync += [
                busy.eq(1),
                ask_address.eq(self.source),
                send_address.eq(self.destination),
                to_ask.eq(self.beats),
                to_read.eq(self.beats),
                to_send.eq(self.beats),
                to_answer.eq(self.beats),
            ]
        m.d.sync += Assert(~(self.go & self.fault[5]), "the assertion fault is set")
        return m


class CopyChip(wiring.Component):
    """``memory_ports`` copy engines of ``memory_bytes`` a beat, one of ``host_bytes`` for the
    host.
    """

    def __init__(self, *, memory_ports, memory_bytes, host_bytes, address_bits=32):
        self.memory_ports = memory_ports
        self.memory_bytes = memory_bytes
        self.host_bytes = host_bytes
        self.address_bits = address_bits
        super().__init__(
            {
                "registers": In(AxiLite(address_bits=12)),
                "host": Out(Axi4(address_bits=address_bits, data_bytes=host_bytes)),
                "memory": Out(Axi4(address_bits=address_bits, data_bytes=memory_bytes)).array(
                    memory_ports
                ),
                "interrupt": Out(1),
                "trace": Out(
                    wiring.Signature(
                        {
                            name: Out(TraceSignature())
                            for name in ("load", "matmul", "vector", "store")
                        }
                    )
                ).array(memory_ports + 1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        count = self.memory_ports + 1
        m.submodules.registers = registers = _Registers(count)
        wiring.connect(m, wiring.flipped(self.registers), registers.bus)
        m.d.comb += self.interrupt.eq(registers.interrupt)
        read_errors = write_errors = 0

        def value(name):
            return registers.values[REGISTERS[name] // 4]

        for e in range(count):
            beat_bytes = self.memory_bytes if e < self.memory_ports else self.host_bytes
            engine = _CopyEngine(address_bits=self.address_bits, data_bytes=beat_bytes)
            m.submodules[f"engine_{e}"] = engine
            port = self.memory[e] if e < self.memory_ports else self.host
            wiring.connect(m, engine.bus, wiring.flipped(port))
            m.d.comb += [
                engine.go.eq(registers.go[e]),
                engine.source.eq(value("SOURCE") + e * value("STRIDE")),
                engine.destination.eq(value("DESTINATION") + e * value("STRIDE")),
                engine.beats.eq(value("BEATS")),
                engine.burst.eq(value("BURST")),
                engine.fault.eq(value("FAULT")),
                engine.strobe.eq(value("STROBE")),
                registers.done[e].eq(engine.done),
            ]
            wiring.connect(m, engine.trace, wiring.flipped(self.trace[e].store))
            read_errors = read_errors + engine.read_errors
            write_errors = write_errors + engine.write_errors
        m.d.comb += [registers.read_errors.eq(read_errors), registers.write_errors.eq(write_errors)]
        return m
