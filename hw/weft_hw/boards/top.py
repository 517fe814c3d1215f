"""What a board's FPGA is loaded with: the prototype, its clock from the board's, a clean reset."""

from amaranth.hdl import ClockDomain, ClockSignal, Const, Instance, Module, Signal
from amaranth.lib import cdc, wiring
from amaranth.lib.wiring import In, Out

from .prototype import LEDS, Prototype

__all__ = ["BoardTop", "fastest_clock", "pll_divisors"]

#: Source: Lattice ECP5 and ECP5-5G family data sheet, FPGA-DS-02012, PLL: the oscillator's range,
#: the slowest comparison, the fastest output; prjtrellis' ecppll has the same.
_OSCILLATOR_HZ = (400_000_000, 800_000_000)
_COMPARED_HZ = 3_125_000
_OUTPUT_HZ = 400_000_000


def pll_divisors(board_hz, clock_hz):
    """(input, feedback, output) divisors of the PLL that makes ``clock_hz`` of ``board_hz``.

    Raises
    ------
    ValueError
        if the PLL cannot make it.
    """
    low, high = _OSCILLATOR_HZ
    inputs = board_hz // _COMPARED_HZ
    output = next((n for n in range(1, 129) if low <= clock_hz * n <= high), None)
    for divisor in range(1, inputs + 1):
        feedback, rest = divmod(clock_hz * divisor, board_hz)
        if not rest and 1 <= feedback <= 80 and clock_hz <= _OUTPUT_HZ and output is not None:
            return divisor, feedback, output
    raise ValueError(
        f"clock must be a multiple of the board's {board_hz} Hz over a whole number up to "
        f"{inputs}, from {low // 128} to {_OUTPUT_HZ} Hz, not {clock_hz} Hz"
    )


def fastest_clock(board_hz, limit_hz):
    """The fastest clock of whole hertz, up to ``limit_hz``, that the PLL can make; 0 if none."""
    clocks = [0]
    for divisor in range(1, board_hz // _COMPARED_HZ + 1):
        if board_hz % divisor == 0:
            clock = limit_hz // (board_hz // divisor) * (board_hz // divisor)
            try:
                pll_divisors(board_hz, int(clock))
            except ValueError:
                continue
            clocks.append(int(clock))
    return max(clocks)


class BoardTop(wiring.Component):
    """``Prototype`` on an ECP5 board; ``clk``, ``rst``, ``rx``, ``tx`` and ``leds`` are pins.

    The chip is held in reset until the PLL is locked.
    """

    def __init__(self, config, board, *, memory_kib, clock_hz, baud):
        self.board = board
        self.clock_hz = clock_hz
        self.divisors = pll_divisors(board.clock_hz, clock_hz)
        self.prototype = Prototype(
            config, memory_kib=memory_kib, clock_hz=clock_hz, baud=baud, spread=_over_global_net
        )
        super().__init__({"clk": In(1), "rst": In(1), "rx": In(1), "tx": Out(1), "leds": Out(LEDS)})

    def elaborate(self, platform):
        m = Module()
        divisor, feedback, output = self.divisors
        m.domains.sync = ClockDomain("sync")
        locked = Signal()
        wait = Signal()
        # source of the parameters: what prjtrellis' ecppll writes for these frequencies
        m.submodules.pll = Instance(
            "EHXPLLL",
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            p_PLLRST_ENA="DISABLED",
            p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            p_OUTDIVIDER_MUXA="DIVA",
            p_OUTDIVIDER_MUXB="DIVB",
            p_OUTDIVIDER_MUXC="DIVC",
            p_OUTDIVIDER_MUXD="DIVD",
            p_CLKI_DIV=divisor,
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_DIV=output,
            p_CLKOP_CPHASE=output // 2,
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


def _over_global_net(m, signal):
    """``signal`` over one of the nets that reach all of the FPGA, which is not only for clocks."""
    spread = Signal()
    m.submodules.spread = Instance("DCCA", i_CLKI=signal, i_CE=Const(1, 1), o_CLKO=spread)
    return spread
