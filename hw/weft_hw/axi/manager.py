"""An AXI4 manager port: streams of bursts and beats to its signals, attributes to all accesses."""

from amaranth.utils import exact_log2

from .signature import RESPONSE_OKAY

__all__ = ["drive_manager"]

#: ``AxBURST``: incrementing.
_BURST_INCR = 0b01
#: ``AxCACHE``: normal memory, not cacheable, bufferable.
_CACHE_NORMAL = 0b0011


def drive_manager(m, axi, *, reads, writes, data_bytes):
    """Connects all of ``axi``. ``reads`` has the streams ``burst`` out and ``beat`` in, ``writes``
    has ``burst`` and ``beat`` out and ``response`` in, which is whether it failed.
    """
    _drive_attributes(m, axi, data_bytes=data_bytes)
    m.d.comb += [
        axi.araddr.eq(reads.burst.payload.address),
        axi.arlen.eq(reads.burst.payload.length),
        axi.arvalid.eq(reads.burst.valid),
        reads.burst.ready.eq(axi.arready),
        reads.beat.payload.data.eq(axi.rdata),
        reads.beat.payload.error.eq(axi.rresp != RESPONSE_OKAY),
        reads.beat.valid.eq(axi.rvalid),
        axi.rready.eq(reads.beat.ready),
        axi.awaddr.eq(writes.burst.payload.address),
        axi.awlen.eq(writes.burst.payload.length),
        axi.awvalid.eq(writes.burst.valid),
        writes.burst.ready.eq(axi.awready),
        axi.wdata.eq(writes.beat.payload.data),
        axi.wstrb.eq(writes.beat.payload.strobe),
        axi.wlast.eq(writes.beat.payload.last),
        axi.wvalid.eq(writes.beat.valid),
        writes.beat.ready.eq(axi.wready),
        writes.response.payload.eq(axi.bresp != RESPONSE_OKAY),
        writes.response.valid.eq(axi.bvalid),
        axi.bready.eq(writes.response.ready),
    ]


def _drive_attributes(m, axi, *, data_bytes):
    """Drives the constant signals of both address channels of ``axi``: whole beats of
    ``data_bytes``, INCR, ID 0."""
    for channel in ("aw", "ar"):
        m.d.comb += [
            getattr(axi, f"{channel}id").eq(0),
            getattr(axi, f"{channel}size").eq(exact_log2(data_bytes)),
            getattr(axi, f"{channel}burst").eq(_BURST_INCR),
            getattr(axi, f"{channel}lock").eq(0),
            getattr(axi, f"{channel}cache").eq(_CACHE_NORMAL),
            getattr(axi, f"{channel}prot").eq(0),
        ]
