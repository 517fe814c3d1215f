"""Attributes that every AXI4 access of the chip has in common."""

from amaranth.utils import exact_log2

__all__ = ["BURST_INCR", "CACHE_NORMAL", "drive_attributes"]

#: ``AxBURST``: incrementing.
BURST_INCR = 0b01
#: ``AxCACHE``: normal memory, not cacheable, bufferable.
CACHE_NORMAL = 0b0011


def drive_attributes(m, axi, *, data_bytes):
    """Drives the constant signals of both address channels of ``axi``: whole beats of
    ``data_bytes``, INCR, ID 0."""
    for channel in ("aw", "ar"):
        m.d.comb += [
            getattr(axi, f"{channel}id").eq(0),
            getattr(axi, f"{channel}size").eq(exact_log2(data_bytes)),
            getattr(axi, f"{channel}burst").eq(BURST_INCR),
            getattr(axi, f"{channel}lock").eq(0),
            getattr(axi, f"{channel}cache").eq(CACHE_NORMAL),
            getattr(axi, f"{channel}prot").eq(0),
        ]
