"""The watchdog: notices that nothing moves any more."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Watchdog"]


class Watchdog(wiring.Component):
    """Raises ``expired`` for one cycle when ``busy`` has lasted for ``limit`` cycles without
    ``progress``, and again after each further ``limit``. A limit of 0 switches it off.

    Members
    -------
    limit : In(32)
    busy : In(1)
    progress : In(1)
    expired : Out(1)
    """

    limit: In(32)
    busy: In(1)
    progress: In(1)
    expired: Out(1)

    def elaborate(self, platform):
        m = Module()
        waited = Signal(32)
        m.d.sync += [
            waited.eq(waited + 1),
            self.expired.eq(0),
        ]
        with m.If(~self.busy | self.progress | (self.limit == 0)):
            m.d.sync += waited.eq(0)
        with m.Elif(waited + 1 >= self.limit):
            m.d.sync += [waited.eq(0), self.expired.eq(1)]
        return m
