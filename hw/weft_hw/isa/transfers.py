"""Commands of the load and store engines.

A transfer moves ``rows`` rows of ``row_bytes`` bytes between memory and scratchpad. Row ``i`` lies
at ``memory_address + i * memory_stride`` and begins at scratchpad row ``local_row + i *
local_stride``, filling ``ceil(row_bytes / scratchpad row)`` rows. A load fills the rest of the last
one with zeros; a store writes exactly ``row_bytes`` bytes.
"""

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from .codes import CommandHeader

__all__ = ["FillCommand", "GatherCommand", "LoadCommand", "StoreCommand"]


class LoadCommand(data.Struct):
    """Memory to scratchpad: up to four nested loops, with padding and transposition.

    Row ``i`` of repetition ``(i1, i2, i3)``, each counting from 0 to its ``more_*``, lies at
    ``memory_address + i * memory_stride + i1 * memory_stride_1 + i2 * ... + i3 * ...`` (modulo the
    address space in the outer loops; in the innermost one a row beyond the end of the address
    space is an error) and goes to scratchpad row ``local_row + i * local_stride +
    i1 * local_stride_1 + ...``; ``i`` runs fastest, then i1, i2, i3.

    With ``padded`` a row has the coordinates ``y = pad_y + i1 * step_y + i3 * dilation_y`` and
    ``x = pad_x + i * step_x + i2 * dilation_x`` and is read only if ``0 <= y < height`` and
    ``0 <= x < width``; otherwise it is ``pad_value`` repeated, without an access to memory, for
    ``row_bytes`` bytes and zeros up to the end of its last scratchpad row, as if read. That is
    im2col of an image in rows of pixels: i and i1 walk the output, i2 and i3 the kernel.
    ``memory_address`` is that of the first row, be it inside the image or not: all rows' addresses
    are modulo the address space then. A height or width of zero is ILLEGAL_FIELD.

    With ``transpose`` (2**(transpose - 1) bytes an element) the scratchpad gets the transposed
    matrix, as if that had been loaded: see ``dma.transpose``. It goes with neither loops
    (``more_*``) nor padding, and only where it is built in; otherwise ILLEGAL_FIELD. So it is with
    loops and padding on a chip without ``tensor_loads``.
    """

    header: CommandHeader
    memory_address: unsigned(64)
    memory_stride: unsigned(32)
    row_bytes: unsigned(16)
    rows: unsigned(16)
    local_row: unsigned(32)
    local_stride: unsigned(16)
    endpoint: unsigned(4)
    """Which memory endpoint (west edge, row ``endpoint``) serves it."""
    more_1: unsigned(10)
    more_2: unsigned(6)
    more_3: unsigned(6)
    memory_stride_1: signed(32)
    memory_stride_2: signed(32)
    memory_stride_3: signed(32)
    local_stride_1: unsigned(16)
    local_stride_2: unsigned(16)
    local_stride_3: unsigned(16)
    padded: unsigned(1)
    pad_y: signed(6)
    pad_x: signed(6)
    step_y: unsigned(4)
    step_x: unsigned(4)
    dilation_y: unsigned(4)
    dilation_x: unsigned(4)
    height: unsigned(12)
    width: unsigned(12)
    pad_value: unsigned(32)
    """Repeated over a padded row: a byte or a 16-bit number is given four times or twice."""
    transpose: unsigned(2)


class StoreCommand(data.Struct):
    """Scratchpad to memory, or with ``to_tiles`` to the scratchpads of tiles.

    ``to_tiles``: the rows go to scratchpad row ``remote_row`` on, ``remote_stride`` from row to
    row, of every tile in the rectangle from (``x_first``, ``y_first``) to (``x_last``,
    ``y_last``), both inclusive; ``memory_address``, ``memory_stride`` and ``endpoint`` are not
    used. When all is written in a tile, its semaphores in ``remote_signal`` are given. ``rows = 0``
    is allowed then: nothing but the signal is sent.
    """

    header: CommandHeader
    memory_address: unsigned(64)
    memory_stride: unsigned(32)
    row_bytes: unsigned(16)
    rows: unsigned(16)
    local_row: unsigned(32)
    local_stride: unsigned(16)
    endpoint: unsigned(4)
    """Which memory endpoint (west edge, row ``endpoint``) serves it."""
    to_tiles: unsigned(1)
    x_first: unsigned(4)
    y_first: unsigned(4)
    x_last: unsigned(4)
    y_last: unsigned(4)
    remote_row: unsigned(32)
    remote_stride: unsigned(16)
    remote_signal: unsigned(16)


class GatherCommand(data.Struct):
    """Rows of memory chosen by a list of indices (an embedding lookup) to scratchpad.

    Row ``i`` lies at ``memory_address + index[i] * memory_stride``; ``index`` is int32, packed in
    the scratchpad from ``index_row`` on. An index that, as an unsigned number, is not below
    ``limit`` ends the command with INDEX (and the scratchpad row where it stands) before its row is
    asked for. The rest is as in a load. What wrote the indices must be done: a semaphore says so.
    """

    header: CommandHeader
    memory_address: unsigned(64)
    memory_stride: unsigned(32)
    row_bytes: unsigned(16)
    rows: unsigned(16)
    local_row: unsigned(32)
    local_stride: unsigned(16)
    endpoint: unsigned(4)
    index_row: unsigned(32)
    limit: unsigned(32)


class FillCommand(data.Struct):
    """Fills ``rows`` x ``columns`` scratchpad rows with a 32-bit ``value`` repeated: ``columns``
    that follow each other, then those ``stride`` further on.
    """

    header: CommandHeader
    row: unsigned(32)
    stride: unsigned(16)
    rows: unsigned(16)
    columns: unsigned(16)
    value: unsigned(32)
