"""What comes back from the tiles: ends of commands, first failure, answers to probes."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..isa import Status
from ..noc.packet import Headed, ResponseHeader, ResponseKind
from .command import Failure
from .credits import EngineAddress

__all__ = ["CompletionSink"]


class CompletionSink(wiring.Component):
    """Takes response headers unconditionally and sorts them.

    Latency: 1 cycle.  Throughput: one header per cycle.

    Members
    -------
    i : In(stream of Headed(ResponseHeader))
        always ready
    ended : Out(stream of EngineAddress)
        never stalls; a command has ended
    failure : Out(Failure)
        with ``ended``: the command failed (neither OK nor ABORTED)
    answer : Out(stream of ResponseHeader)
        never stalls and takes no time; any other response
    """

    def __init__(self):
        super().__init__({
            "i": In(stream.Signature(Headed(ResponseHeader), always_ready=True)),
            "ended": Out(stream.Signature(EngineAddress, always_ready=True)),
            "failure": Out(Failure),
            "answer": Out(stream.Signature(ResponseHeader, always_ready=True)),
        })

    def elaborate(self, platform):
        m = Module()
        header = self.i.payload.header
        is_end = Signal()
        m.d.comb += [
            is_end.eq(header.kind == ResponseKind.COMPLETION),
            self.answer.payload.eq(header),
            self.answer.valid.eq(self.i.valid & ~is_end),
        ]
        m.d.sync += [
            self.ended.valid.eq(self.i.valid & is_end),
            self.ended.payload.engine.eq(header.engine),
            self.ended.payload.x.eq(header.source.x),
            self.ended.payload.y.eq(header.source.y),
            self.failure.valid.eq(
                self.i.valid & is_end & (header.status != Status.OK)
                & (header.status != Status.ABORTED)),
            self.failure.status.eq(header.status),
            self.failure.index.eq(header.tag),
            self.failure.engine.eq(header.engine),
            self.failure.x.eq(header.source.x),
            self.failure.y.eq(header.source.y),
        ]
        return m
