"""The chip as an FPGA prototype: on-chip memory and a serial line in place of DRAM and host.

::

    rx, tx -- UART -- bridge -- registers -- chip -- host, memory[i] -- AxiRam --+
                        |                                                        |
                        +----------------- memory -------------------------- SharedRam
"""

from amaranth.hdl import Cat, ClockDomain, ClockSignal, DomainRenamer, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..chip import Chip
from ..streams.link import link
from ..uart.bridge import Bridge
from ..uart.receiver import UartReceiver
from ..uart.transmitter import UartTransmitter
from .axi_ram import AxiRam
from .ram import SharedRam

__all__ = ["LEDS", "Prototype"]

LEDS = 8
#: Commands, completions and data share the memory; the driver's pages are of this size.
_PAGE_BYTES = 4096


class Prototype(wiring.Component):
    """A chip that needs only a clock and a serial line.

    Parameters
    ----------
    config : ChipConfig
    memory_kib : int
        Block RAM for device memory, a multiple of 4.
    clock_hz : int
        Of the clock it gets.
    baud : int
        Of the serial line; at most a quarter of the clock. The cycles of a bit are rounded.
    spread : function (m, signal) -> signal
        How the board brings a signal to thousands of registers; like any other if not given.

    Members
    -------
    rx : In(1), tx : Out(1)
        Seen from the FPGA.
    leds : Out(8)
        From bit 0: clock (about one a second), line in, line out, request, interrupt, chip in
        reset; 0; 0.

    Raises
    ------
    ValueError
        for a memory that is no multiple of 4 KiB or a line that is too fast or more than 2 % off.
    """

    def __init__(self, config, *, memory_kib, clock_hz, baud, spread=None):
        if memory_kib < 4 or memory_kib * 1024 % _PAGE_BYTES:
            raise ValueError(f"memory_kib must be a positive multiple of 4, not {memory_kib}")
        if not 0 < baud <= clock_hz // 4:
            raise ValueError(
                f"baud must be at most a quarter of the clock of {clock_hz} Hz, not {baud}"
            )
        self.divisor = round(clock_hz / baud)
        if abs(clock_hz / self.divisor / baud - 1) > 0.02:
            raise ValueError(
                f"baud must be within 2 % of the clock of {clock_hz} Hz over a whole number, "
                f"not {baud}"
            )
        self.config = config
        self.memory_bytes = memory_kib * 1024
        self.clock_hz = clock_hz
        self.spread = spread or (lambda m, signal: signal)
        super().__init__({"rx": In(1), "tx": Out(1), "leds": Out(LEDS)})

    def elaborate(self, platform):
        m = Module()
        config, flit_bytes = self.config, self.config.flit_bytes
        rows = self.memory_bytes // flit_bytes
        m.submodules.receiver = receiver = UartReceiver(divisor=self.divisor)
        m.submodules.transmitter = transmitter = UartTransmitter(divisor=self.divisor)
        m.submodules.bridge = bridge = Bridge(
            memory_bytes=self.memory_bytes, data_bytes=flit_bytes, clock_hz=self.clock_hz
        )
        # the bridge resets the chip, and what it talks to
        m.domains.chip = ClockDomain("chip")
        chip_reset = Signal(init=1)
        m.d.sync += chip_reset.eq(bridge.chip_reset)
        m.d.comb += [
            ClockSignal("chip").eq(ClockSignal()),
            ResetSignal("chip").eq(self.spread(m, chip_reset)),
        ]
        chip = Chip(config)
        m.submodules.chip = DomainRenamer("chip")(chip)
        managers = [chip.host, *chip.memory]
        m.submodules.ram = ram = SharedRam(
            rows=rows, data_bytes=flit_bytes, ports=1 + len(managers)
        )
        link(m, bridge.ram, ram.port[0])
        for number, manager in enumerate(managers):
            subordinate = AxiRam(
                address_bits=config.host.address_bits, data_bytes=flit_bytes, rows=rows
            )
            m.submodules[f"axi_ram_{number}"] = DomainRenamer("chip")(subordinate)
            link(m, manager, subordinate.axi)
            link(m, subordinate.ram, ram.port[1 + number])
        link(m, bridge.registers, chip.registers)
        link(m, receiver.o, bridge.i)
        link(m, bridge.o, transmitter.i)
        interrupt = Signal()
        m.d.sync += interrupt.eq(chip.interrupt)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            bridge.broken.eq(receiver.broken),
            self.tx.eq(transmitter.tx),
            bridge.interrupt.eq(interrupt),
        ]
        clock = Signal((self.clock_hz - 1).bit_length())
        m.d.sync += [
            clock.eq(clock + 1),
            self.leds.eq(Cat(clock[-1], ~self.rx, ~self.tx, bridge.busy, interrupt, chip_reset)),
        ]
        return m
