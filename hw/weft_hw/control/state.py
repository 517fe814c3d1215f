"""The queue's life: running, failed, halted, resetting; the first error; the error interrupt."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..isa import Status
from .command import Failure
from .registers import QueueState

__all__ = ["QueueLife"]


class QueueLife(wiring.Component):
    """Decides when the queue may go on.

    ::

        DISABLED ⇄ RUNNING ──failure──→ FAILED ──quiet──→ HALTED
              ↑        └────reset────┐     └──reset──┐  reset│
              └──────── quiet ─────────── RESETTING ←─────────┘

    While FAILED (but for a hang) or RESETTING every command in flight is aborted. An error
    interrupt comes on HALTED, when the chip is quiet, and if it does not become quiet, each time
    the watchdog expires.

    Members
    -------
    enable : In(1)
    reset : In(1)
        the host asks for a queue reset
    quiet : In(1)
        nothing is in flight, fetched or written
    failures : In(ArrayLayout(Failure, n))
        the lowest counts where several come together
    expired : In(1)
        the watchdog's; a failure of its own (WATCHDOG with ``last_index``) if there is none yet
    last_index : In(32)
    state : Out(QueueState)
    run : Out(1)
        commands may be fetched
    healthy : Out(1)
        commands fetched may be sent
    abort : Out(1)
    clear : Out(1)
        one cycle: forget everything that is the queue's
    error : Out(Failure)
        the first one
    interrupt : Out(1)
        one cycle: the error interrupt
    """

    def __init__(self, sources):
        super().__init__({
            "enable": In(1),
            "reset": In(1),
            "quiet": In(1),
            "failures": In(data.ArrayLayout(Failure, sources)),
            "expired": In(1),
            "last_index": In(32),
            "state": Out(QueueState),
            "run": Out(1),
            "healthy": Out(1, init=1),
            "abort": Out(1),
            "clear": Out(1),
            "error": Out(Failure),
            "interrupt": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        failure = Signal(Failure)
        # ``abort`` has a register of its own, because it goes to all engines, and ``healthy``,
        # because all sending waits for it
        with m.If(self.expired):
            m.d.comb += [
                failure.valid.eq(1),
                failure.status.eq(Status.WATCHDOG),
                failure.index.eq(self.last_index),
                failure.by_control.eq(1),
            ]
        for source in reversed(range(len(self.failures))):
            with m.If(self.failures[source].valid):
                m.d.comb += failure.eq(self.failures[source])

        with m.FSM():
            # waits for a failure or the host
            with m.State("GO"):
                m.d.comb += [
                    self.run.eq(self.enable),
                    self.state.eq(Mux(self.enable, QueueState.RUNNING, QueueState.DISABLED)),
                ]
                with m.If(self.reset):
                    m.d.sync += [self.abort.eq(1), self.healthy.eq(0)]
                    m.next = "RESET"
                with m.Elif(failure.valid):
                    # a hang stays as it is, so that the host can probe who waits for whom, until
                    # the host resets
                    m.d.sync += [
                        self.error.eq(failure),
                        self.abort.eq(failure.status != Status.WATCHDOG),
                        self.healthy.eq(0),
                    ]
                    m.d.comb += self.interrupt.eq(self.expired)
                    m.next = "FAIL"
            # waits until what is in flight has ended
            with m.State("FAIL"):
                m.d.comb += [
                    self.state.eq(QueueState.FAILED),
                    self.interrupt.eq(self.expired),
                ]
                with m.If(self.reset):
                    m.d.sync += self.abort.eq(1)
                    m.next = "RESET"
                with m.Elif(self.quiet):
                    m.d.comb += self.interrupt.eq(1)
                    m.d.sync += self.abort.eq(0)
                    m.next = "HALT"
            # waits for the host
            with m.State("HALT"):
                m.d.comb += self.state.eq(QueueState.HALTED)
                with m.If(self.reset):
                    m.d.sync += self.abort.eq(1)
                    m.next = "RESET"
            # waits until what is in flight has ended
            with m.State("RESET"):
                m.d.comb += [
                    self.state.eq(QueueState.RESETTING),
                    self.clear.eq(self.quiet),
                ]
                with m.If(self.quiet):
                    m.d.sync += [self.error.eq(0), self.abort.eq(0), self.healthy.eq(1)]
                    m.next = "GO"
        return m
