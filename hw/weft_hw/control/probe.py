"""The probe: reads a page of a tile's register space over the mesh, whatever the queue is doing."""

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..noc.packet import DataFlit, Headed, RequestHeader, RequestKind, ResponseHeader, RouterPort
from .dispatch import CONTROL_NODE
from .registers import PROBE_WORDS

__all__ = ["PAGE_BYTES", "Probe", "ProbeTarget"]

#: Bytes that a probe returns.
PAGE_BYTES = 4 * PROBE_WORDS


class ProbeTarget(data.Struct):
    """The PROBE register's bits."""

    x: unsigned(4)
    y: unsigned(4)
    page: unsigned(8)


class Probe(wiring.Component):
    """Sends a READ of one page to the tile and keeps the answer.

    A new probe overtakes an unanswered one: requests carry a running tag, and only the answer to
    the last one shows. A tile outside the mesh is not asked, and ``valid`` stays low.

    Members
    -------
    start : In(1)
        asks ``target``; ``valid`` falls
    target : In(ProbeTarget)
    header : Out(stream of Headed(RequestHeader))
    answer : In(stream of ResponseHeader)
        always ready; READ_DATA headers that come back
    data : In(stream of DataFlit)
        always ready; their data
    valid : Out(1)
    words : Out(ArrayLayout(32, PROBE_WORDS))
    """

    def __init__(self, config):
        self.config = config
        header = RequestHeader(address_bits=config.host.address_bits)
        super().__init__({
            "start": In(1),
            "target": In(ProbeTarget),
            "header": Out(stream.Signature(Headed(header))),
            "answer": In(stream.Signature(ResponseHeader, always_ready=True)),
            "data": In(stream.Signature(DataFlit(flit_bytes=config.flit_bytes), always_ready=True)),
            "valid": Out(1),
            "words": Out(data.ArrayLayout(unsigned(32), PROBE_WORDS)),
        })

    def elaborate(self, platform):
        m = Module()
        mesh = self.config.mesh
        header = self.header.payload.header
        tag = Signal(8)
        wanted = Signal()
        target = Signal(ProbeTarget)
        ours = Signal()
        inside = (self.target.x < mesh.cols) & (self.target.y < mesh.rows)

        # ask: a request once offered stays; a newer one follows it
        m.d.comb += [
            header.source.eq(CONTROL_NODE),
            header.destination.port.eq(RouterPort.LOCAL),
            header.kind.eq(RequestKind.READ),
            header.length.eq(PAGE_BYTES),
        ]
        with m.If(self.header.ready):
            m.d.sync += self.header.valid.eq(0)
        with m.If(wanted & (~self.header.valid | self.header.ready)):
            m.d.sync += [
                self.header.valid.eq(1),
                header.destination.x.eq(target.x),
                header.destination.y.eq(target.y),
                header.tag.eq(tag),
                header.address.eq(target.page * PAGE_BYTES),
                wanted.eq(0),
            ]
        with m.If(self.start):
            m.d.sync += [
                wanted.eq(inside),
                target.eq(self.target),
                tag.eq(tag + 1),
                self.valid.eq(0),
            ]

        # keep: flits come lowest first
        with m.If(self.answer.valid):
            m.d.sync += ours.eq(self.answer.payload.tag == tag)
        with m.If(self.data.valid & ours):
            words = self.words.as_value()
            bits = min(len(words), len(self.data.payload.data))
            m.d.sync += words.eq(Cat(words, self.data.payload.data[:bits])[bits:])
            with m.If(self.data.payload.last & ~self.start):
                m.d.sync += self.valid.eq(1)
        return m
