"""Completions of a tile: ends of commands become semaphore signals and packets to the control node.

One end a cycle, round robin over the engines. The first error since ``clear`` is kept for the
status page.

Latency: end to signal 0 cycles, to the packet's header 1 cycle.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..axi.queue import Queue
from ..isa import Engine, Status
from ..noc.packet import Headed, NodeAddress, ResponseHeader, ResponseKind, RouterPort
from ..noc.turns import first_after, nobody_before
from ..streams.link import link
from .engine import Done

__all__ = ["Completions"]

_QUEUE = 4


def _of_picked(picked, values):
    """That of ``values`` whose bit is set in ``picked``; 0 if none is."""
    chosen = Const(0)
    for bit, value in zip(picked, values, strict=True):
        chosen = chosen | Mux(bit, value, 0)
    return chosen


class Completions(wiring.Component):
    """Collects ``Done`` of the front ends.

    Members
    -------
    done_<engine> : In(stream of Done)
    signal, signal_mask, overflow : one for each engine
        To ``Semaphores``.
    header : Out(stream of Headed(ResponseHeader))
        COMPLETION packets.
    node : In(NodeAddress)
        Of this tile.
    fault_status, fault_address : Out
        Of the first failed command since ``clear``.
    finish, finish_index : Out
        Per engine: a command ended in this cycle (observation).
    clear : In(1)
    """

    def __init__(self, config):
        self.config = config
        done = Done(address_bits=config.host.address_bits)
        self.address_bits = max(32, config.host.address_bits)
        super().__init__({
            **{f"done_{engine.name.lower()}": In(stream.Signature(done)) for engine in Engine},
            "signal": Out(len(Engine)), "signal_mask": Out(data.ArrayLayout(16, len(Engine))),
            "overflow": In(len(Engine)),
            "header": Out(stream.Signature(Headed(ResponseHeader))),
            "node": In(NodeAddress),
            "fault_status": Out(Status), "fault_address": Out(self.address_bits),
            "finish": Out(len(Engine)), "finish_index": Out(32),
            "clear": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        dones = [getattr(self, f"done_{engine.name.lower()}") for engine in Engine]
        count = len(dones)
        m.submodules.queue = queue = Queue(Headed(ResponseHeader), depth=_QUEUE)

        last, chosen = Signal(range(count)), Signal(range(count))
        free = Signal(count)    # that engine's end would be taken
        ends = [port.valid for port in dones]
        m.d.comb += chosen.eq(last)
        first_after(m, chosen, last, ends)
        nobody_before(m, free, last, ends)
        done = Signal(Done(address_bits=self.config.host.address_bits))
        picked = Cat(ends) & free
        taken, statuses = Signal(), []
        m.d.comb += [
            done.as_value().eq(_of_picked(picked, [port.payload.as_value() for port in dones])),
            taken.eq(Cat(ends).any() & queue.i.ready),
            self.finish_index.eq(done.index),
        ]
        # each as if it were picked, which is known last
        for n, port in enumerate(dones):
            good = port.payload.status == Status.OK
            statuses.append(
                Mux(good & self.overflow[n], Status.SEMAPHORE_OVERFLOW, port.payload.status))
            m.d.comb += [
                port.ready.eq(queue.i.ready & free[n]),
                self.finish[n].eq(port.valid & port.ready),
                self.signal[n].eq(self.finish[n] & good),
                self.signal_mask[n].eq(port.payload.signal),
            ]
        with m.If(taken):
            m.d.sync += last.eq(chosen)

        status = Signal(Status)
        packet = queue.i.payload
        m.d.comb += [
            status.eq(_of_picked(picked, statuses)),
            queue.i.valid.eq(Cat(ends).any()),
            packet.header.destination.x.eq(0), packet.header.destination.y.eq(0),
            packet.header.destination.port.eq(RouterPort.NORTH),
            packet.header.source.eq(self.node),
            packet.header.kind.eq(ResponseKind.COMPLETION),
            packet.header.status.eq(status),
            packet.header.engine.eq(chosen),
            packet.header.tag.eq(done.index),
        ]
        link(m, queue.o, wiring.flipped(self.header))
        failed = Cat(finish & (status != Status.OK) & (status != Status.ABORTED)
                     for finish, status in zip(self.finish, statuses, strict=True)).any()
        # the address is that of the latest end until one fails
        address, sound = Signal(self.address_bits), Signal()
        m.d.comb += [
            sound.eq(self.fault_status == Status.OK),
            self.fault_address.eq(Mux(sound, 0, address)),
        ]
        with m.If(sound):
            m.d.sync += address.eq(done.address)
        with m.If(self.clear):
            m.d.sync += self.fault_status.eq(Status.OK)
        with m.Elif(failed & sound):
            m.d.sync += self.fault_status.eq(status)
        return m
