"""The counting semaphores that join a tile's engines.

One acquisition and one signal a cycle; among engines whose whole mask is satisfied the first in
``isa.Engine`` order wins, and signals of this tile go before those of others (``remote``), which
find free cycles because a tile's commands take many cycles each.

Latency: a signal in one cycle satisfies a wait in the next.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..isa import SEMAPHORE_MAX, Engine
from ..streams.level import count

__all__ = ["Semaphores"]


class Semaphores(wiring.Component):
    """``count`` counters of 8 bits; with ``remote`` other tiles may give them too.

    Members
    -------
    request, mask, grant : one for each engine
        All counters in ``mask`` are at least one when ``grant``; they are then decremented.
    signal, signal_mask : In, one for each engine
        Increments of one of them.
    overflow : Out, one for each engine
        A counter in ``signal_mask`` is at its maximum: nothing is changed.
    remote, remote_mask : In
        The same of other tiles, held until ``remote_taken``. Only with ``remote``.
    remote_taken, remote_overflow : Out(1)
        The increments are made in this cycle; or would be, but as in ``overflow``.
    values : Out, nonzero : Out(count)
        For the status page.
    clear : In(1)
        All to zero.
    """

    def __init__(self, *, count, remote=False):
        self.count = count
        self.has_remote = remote
        engines = len(Engine)
        super().__init__({
            "request": In(engines),
            "mask": In(data.ArrayLayout(count, engines)),
            "grant": Out(engines),
            "signal": In(engines), "signal_mask": In(data.ArrayLayout(count, engines)),
            "overflow": Out(engines),
            "values": Out(data.ArrayLayout(8, count)), "nonzero": Out(count),
            "clear": In(1),
            **({"remote": In(1), "remote_mask": In(count), "remote_taken": Out(1),
                "remote_overflow": Out(1)} if remote else {}),
        })

    def elaborate(self, platform):
        m = Module()
        full, taken, given = (Signal(self.count) for _ in range(3))
        m.d.comb += [
            self.overflow.eq(Cat((self.signal_mask[e] & full).any() for e in range(len(Engine)))),
        ]
        gives = Const(0)
        for engine in range(len(Engine)):
            # the masks are known before it is known who signals
            mask = Mux(self.overflow[engine], 0, self.signal_mask[engine])
            gives = gives | Mux(self.signal[engine], mask, 0)
        m.d.comb += given.eq(gives)
        if self.has_remote:
            m.d.comb += [
                self.remote_overflow.eq((self.remote_mask & full).any()),
                self.remote_taken.eq(self.remote & ~self.signal.any()),
            ]
            with m.If(self.remote_taken & ~self.remote_overflow):
                m.d.comb += given.eq(self.remote_mask)
        # last assignment wins: the first engine has priority
        for engine in reversed(range(len(Engine))):
            with m.If(self.request[engine] & ~(self.mask[engine] & ~self.nonzero).any()):
                m.d.comb += [self.grant.eq(1 << engine), taken.eq(self.mask[engine])]
        for i in range(self.count):
            count(m, self.values[i], up=given[i], down=taken[i], flags=[
                (self.nonzero[i], lambda value: value != 0),
                (full[i], lambda value: value == SEMAPHORE_MAX)])
        with m.If(self.clear):
            m.d.sync += [self.values.as_value().eq(0), self.nonzero.eq(0), full.eq(0)]
        return m
