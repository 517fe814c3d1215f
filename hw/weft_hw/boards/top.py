"""What a board's FPGA is loaded with: the prototype, its clock from the board's, a clean reset."""

from amaranth.hdl import ClockDomain, ClockSignal, Const, Instance, Module, Signal
from amaranth.lib import cdc, wiring
from amaranth.lib.wiring import In, Out

from .prototype import LEDS, Prototype

__all__ = ["BoardTop", "pll_divisors"]

#: Source: Lattice ECP5 and ECP5-5G family data sheet, FPGA-DS-02012, PLL: range of the oscillator.
_OSCILLATOR_HZ = (400_000_000, 800_000_000)


def pll_divisors(board_hz, clock_hz):
    """(feedback, output) divisors of the PLL that makes ``clock_hz`` of ``board_hz``.

    Raises
    ------
    ValueError
        if the clock is no multiple of the board's, or too fast or slow.
    """
    feedback, rest = divmod(clock_hz, board_hz)
    low, high = _OSCILLATOR_HZ
    output = next((n for n in range(1, 129) if low <= clock_hz * n <= high), None)
    if rest or not 1 <= feedback <= 80 or output is None:
        raise ValueError(
            f"clock must be a multiple of the board's {board_hz} Hz, up to {high} Hz, "
            f"not {clock_hz} Hz"
        )
    return feedback, output


class BoardTop(wiring.Component):
    """``Prototype`` on an ECP5 board; ``clk``, ``rst``, ``rx``, ``tx`` and ``leds`` are pins.

    The chip is held in reset until the PLL is locked.
    """

    def __init__(self, config, board, *, memory_kib, clock_hz, baud):
        self.board = board
        self.clock_hz = clock_hz
        self.divisors = pll_divisors(board.clock_hz, clock_hz)
        self.prototype = Prototype(config, memory_kib=memory_kib, clock_hz=clock_hz, baud=baud)
        super().__init__({"clk": In(1), "rst": In(1), "rx": In(1), "tx": Out(1), "leds": Out(LEDS)})

    def elaborate(self, platform):
        m = Module()
        feedback, output = self.divisors
        m.domains.sync = ClockDomain("sync")
        locked = Signal()
        wait = Signal()
        # source of the parameters: what prjtrellis' ecppll writes for these frequencies
        m.submodules.pll = Instance(
            "EHXPLLL",
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            p_PLLRST_ENA="DISABLED",
            p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            p_OUTDIVIDER_MUXA="DIVA",
            p_OUTDIVIDER_MUXB="DIVB",
            p_OUTDIVIDER_MUXC="DIVC",
            p_OUTDIVIDER_MUXD="DIVD",
            p_CLKI_DIV=1,
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_DIV=output,
            p_CLKOP_CPHASE=output // 2 - 1,
            p_CLKOP_FPHASE=0,
            p_FEEDBK_PATH="CLKOP",
            p_CLKFB_DIV=feedback,
            i_RST=Const(0, 1),
            i_STDBY=Const(0, 1),
            i_CLKI=self.clk,
            o_CLKOP=ClockSignal(),
            i_CLKFB=ClockSignal(),
            i_PHASESEL0=Const(0, 1),
            i_PHASESEL1=Const(0, 1),
            i_PHASEDIR=Const(1, 1),
            i_PHASESTEP=Const(1, 1),
            i_PHASELOADREG=Const(1, 1),
            i_PLLWAKESYNC=Const(0, 1),
            i_ENCLKOP=Const(0, 1),
            o_LOCK=locked,
        )
        m.d.comb += wait.eq(self.rst | ~locked)
        m.submodules.reset = cdc.ResetSynchronizer(wait)
        m.submodules.prototype = prototype = self.prototype
        m.d.comb += [
            prototype.rx.eq(self.rx),
            self.tx.eq(prototype.tx),
            self.leds.eq(prototype.leds),
        ]
        return m
