"""AXI4 and AXI4-Lite as Amaranth signatures, seen from the manager.

Member names are the standard's in lower case, so that flattened ports are found by any AXI bench
(``memory__0__awvalid`` and so on). One ID: transactions of one port stay in order.

Source: AMBA AXI and ACE protocol specification, ARM IHI 0022.
"""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["RESPONSE_OKAY", "Axi4", "AxiLite"]

#: The only response that is not an error here (EXOKAY is never asked for).
RESPONSE_OKAY = 0


class Axi4(wiring.Signature):
    """AXI4 with INCR bursts of whole beats. ``data_bytes`` a beat."""

    def __init__(self, *, address_bits, data_bytes):
        self.address_bits = address_bits
        self.data_bytes = data_bytes
        address = {
            "id": 1, "addr": address_bits, "len": 8, "size": 3, "burst": 2, "lock": 1, "cache": 4,
            "prot": 3,
        }
        super().__init__({
            **{f"aw{name}": Out(width) for name, width in address.items()},
            "awvalid": Out(1), "awready": In(1),
            "wdata": Out(8 * data_bytes), "wstrb": Out(data_bytes), "wlast": Out(1),
            "wvalid": Out(1), "wready": In(1),
            "bid": In(1), "bresp": In(2), "bvalid": In(1), "bready": Out(1),
            **{f"ar{name}": Out(width) for name, width in address.items()},
            "arvalid": Out(1), "arready": In(1),
            "rid": In(1), "rdata": In(8 * data_bytes), "rresp": In(2), "rlast": In(1),
            "rvalid": In(1), "rready": Out(1),
        })


class AxiLite(wiring.Signature):
    """AXI4-Lite with 32-bit data."""

    def __init__(self, *, address_bits):
        self.address_bits = address_bits
        super().__init__({
            "awaddr": Out(address_bits), "awprot": Out(3), "awvalid": Out(1), "awready": In(1),
            "wdata": Out(32), "wstrb": Out(4), "wvalid": Out(1), "wready": In(1),
            "bresp": In(2), "bvalid": In(1), "bready": Out(1),
            "araddr": Out(address_bits), "arprot": Out(3), "arvalid": Out(1), "arready": In(1),
            "rdata": In(32), "rresp": In(2), "rvalid": In(1), "rready": Out(1),
        })
