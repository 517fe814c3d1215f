"""What passes through the address generator: walks (whole transfers) in, accesses (one request or
one fill each) out.
"""

from amaranth.hdl import unsigned
from amaranth.lib import data

from ..isa import LoadCommand, Status

__all__ = ["COUNT_BITS", "LOCAL_BITS", "LOCAL_STRIDE_BITS", "STRIDE_BITS", "TENSOR_FIELDS",
           "Access", "Walk"]

#: Widths of the fields of a command (``isa.LoadCommand``).
STRIDE_BITS, LOCAL_BITS, LOCAL_STRIDE_BITS, COUNT_BITS = 32, 32, 16, 16

#: Fields of a LOAD that its walk has under the same names: outer loops, then padding.
TENSOR_FIELDS = (
    "more_1", "more_2", "more_3",
    "memory_stride_1", "memory_stride_2", "memory_stride_3",
    "local_stride_1", "local_stride_2", "local_stride_3",
    "padded", "pad_y", "pad_x", "step_y", "step_x", "dilation_y", "dilation_x", "height", "width",
)


class Walk(data.StructLayout):
    """A transfer, ready to run. Sizes are given less one, so that a size of zero cannot be said.

    ``address`` has a bit more than an address of memory and than a stride; higher bits of a
    command's address count as that bit. ``illegal`` makes the walk one access that ends in
    ILLEGAL_FIELD.

    A ``tensor`` walk has the outer loops and the padding of a LOAD too. ``fill``: no row is read,
    all are ``value`` repeated; a padded row is that too. ``gather``: rows begin where indices say,
    which lie from scratchpad row ``value`` on; the limit is in ``memory_stride_1``. ``transpose``
    (only if built in): as in a LOAD; behind ``split.py``, with ``strips``, the walk is one, and
    ``more`` follow if that is set.
    """

    def __init__(self, config, *, tensor=False, strips=False):
        address_bits = config.host.address_bits
        fields = {
            "address": unsigned(max(address_bits, STRIDE_BITS) + 1),
            "stride": unsigned(STRIDE_BITS),
            "row_bytes_less_one": unsigned(2 * COUNT_BITS),
            "rows_less_one": unsigned(COUNT_BITS),
            "local_row": unsigned(LOCAL_BITS),
            "local_stride": unsigned(LOCAL_STRIDE_BITS),
            "endpoint": unsigned(4),
            "illegal": unsigned(1),
        }
        if tensor:
            layout = LoadCommand.as_shape()
            fields |= {name: layout[name].shape for name in TENSOR_FIELDS}
            fields |= {"fill": unsigned(1), "gather": unsigned(1), "value": unsigned(32)}
            if config.tile.transpose:
                fields |= {"transpose": unsigned(2)}
            if strips:
                fields |= {"more": unsigned(1)}
        super().__init__(fields)


class Access(data.StructLayout):
    """One request, or the reason why there is none.

    If ``status`` is OK: ``length`` bytes at memory byte ``address``, ``flits_less_one + 1``
    scratchpad rows from ``row`` on. Otherwise no request is made, ``address`` is the first
    scratchpad row beyond the end (LOCAL_RANGE), the last byte of the address space (WINDOW: beyond
    it), the scratchpad row of an index (INDEX) or 0, and ``last`` is set. ``last`` ends the
    command.

    Of a ``tensor`` walk, an access with ``fill`` is no request either: those ``length`` bytes of
    the scratchpad become ``value`` repeated, up to the end of the row zeros. One with ``transpose``
    is a row of a strip, of the last one if ``strip_ends``; ``row`` is where the strip's first
    column goes, ``column_stride`` the way to the next.
    """

    def __init__(self, config, *, tensor=False):
        fields = {
            "status": Status,
            "last": unsigned(1),
            "endpoint": unsigned(4),
            "length": unsigned(13),
            "flits_less_one": range(config.mesh.max_packet_bytes // config.flit_bytes),
            "row": range(config.tile.scratchpad_rows),
            "address": unsigned(max(32, config.host.address_bits)),
        }
        if tensor:
            fields |= {"fill": unsigned(1), "value": unsigned(32)}
            if config.tile.transpose:
                fields |= {
                    "transpose": unsigned(2),
                    "strip_ends": unsigned(1),
                    "column_stride": unsigned(LOCAL_STRIDE_BITS),
                }
        super().__init__(fields)
