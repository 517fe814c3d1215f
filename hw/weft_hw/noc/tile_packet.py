"""Packets that write into the scratchpads of tiles: one packet to a rectangle of them.

They travel on the request plane. Where the header of other packets has a ``RouterPort``, theirs has
``TO_TILES``; the routers replicate them along a tree (``routing.row_then_columns``). Data are whole
scratchpad rows. A packet is never longer than ``tile_packet_flits``, which fits the input buffer of
a router: see ``deadlock`` for why.
"""

from amaranth.hdl import unsigned
from amaranth.lib import data

from .packet import RequestHeader
from .sender import header_flits

__all__ = ["CREDIT_LOOP", "TO_TILES", "Rectangle", "TileWriteHeader", "tile_packet_flits",
           "tile_packet_rows"]

#: Stands in place of a ``RouterPort``.
TO_TILES = 7

#: Flits that a link carrying one a cycle has sent and has no credit for yet (``credit``): a packet
#: for which the buffer needs room beside them does not wait for the packet before it.
CREDIT_LOOP = 3


class Rectangle(data.Struct):
    """The low bits of the header: tiles (``x_first``, ``y_first``) to (``x_last``, ``y_last``),
    both inclusive, and the mark. They lie within the first flit, however narrow.
    """

    x_first: unsigned(4)
    y_first: unsigned(4)
    mark: unsigned(3)
    """``TO_TILES``; in the place of ``NodeAddress.port``."""
    x_last: unsigned(4)
    y_last: unsigned(4)


class TileWriteHeader(data.Struct):
    """Header of a write to tiles; no wider than any ``RequestHeader``, whose flits it takes."""

    rectangle: Rectangle
    source_x: unsigned(4)
    source_y: unsigned(4)
    tag: unsigned(8)
    """Returned in the WRITE_ACK of every tile of the rectangle."""
    signal: unsigned(16)
    """Semaphores to give when the rows are written."""
    row: unsigned(24)
    """Scratchpad row of the first data flit; the others follow it."""


def tile_packet_rows(config) -> int:
    """Data flits (scratchpad rows) of the largest packet to tiles of a ``ChipConfig``: what leaves
    the buffers of the routers room for the flits of ``CREDIT_LOOP``, or one row if they are too
    small for that; always shorter than ``max_packet_bytes``.
    """
    longest = (config.mesh.max_packet_bytes - 1) // config.flit_bytes
    return max(min(config.mesh.router_fifo_depth - CREDIT_LOOP - _header_flits(config), longest), 1)


def tile_packet_flits(config) -> int:
    """Flits of the largest packet to tiles: header and ``tile_packet_rows``."""
    return _header_flits(config) + tile_packet_rows(config)


def _header_flits(config):
    return header_flits(RequestHeader(address_bits=config.host.address_bits), config.flit_bytes)
