"""What a matrix product is to the compiler: sizes and addresses, the part of a tile, the blocking
chosen for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from weft_hw.config import ChipConfig
from weft_hw.formats.table import BITS, Format

from .image import Image

__all__ = ["Blocking", "Epilogue", "GemmTask", "Infeasible", "Part", "ceil_div", "split"]


class Infeasible(Exception):
    """A blocking does not fit the local memories."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Epilogue:
    """A microprogram that turns accumulators into results, in place of a VECTOR command.

    ``streams``: what its streams are, in order: ``acc``, ``out``, and, where there are such
    operands, ``bias`` and ``scale`` (fp32, one for each column) and ``residual``
    (``residual_format``). ``scalars``: as they are, 32 bits. ``row_cycles``: cycles for a row of a
    vector, to plan with. Commands start at 0, the number of this program, to be replaced when they
    are run; or at 1, the same program *turned*, whose rows are vectors of columns and whose loop
    runs over the matrix's rows. That takes ``turned_cycles`` a vector; 0 if there is none.
    """

    streams: tuple[str, ...]
    scalars: tuple[int, ...] = ()
    row_cycles: int = 1
    turned_cycles: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GemmTask:
    """``out[m, n] = f(sum over k of a[m, k] * b[k, n])``, all row-major in device memory.

    ``a`` and ``b`` have ``format``; with ``scaled`` (MX), their scales lie at ``a_scales_address``,
    (K/32, M), and ``b_scales_address``, (K/32, N), a byte each. ``f`` is ``epilogue``, or without
    one a VECTOR command: ``out_format`` INT32 or FP32 adds the int32 bias, if any, to the bits of
    the sums; INT8 requantises (see ``VectorCommand``). Addresses are bytes; None where there is no
    such operand. Pitches are bytes from row to row, 0 for rows that touch. With ``image``, ``a``
    is made of the windows of the images at ``a_address``, and K is ``positions * depth``. With
    ``b_transposed``, ``b`` lies in memory as (N, K).
    """

    m: int
    k: int
    n: int
    a_address: int
    b_address: int
    out_address: int
    format: Format = Format.INT8
    out_format: Format
    residual_format: Format = Format.INT8
    scaled: bool = False
    a_scales_address: int | None = None
    b_scales_address: int | None = None
    bias_address: int | None = None
    scale_address: int | None = None
    residual_address: int | None = None
    a_pitch: int = 0
    b_pitch: int = 0
    out_pitch: int = 0
    residual_pitch: int = 0
    b_transposed: bool = False
    image: Image | None = None
    zero_point: int = 0
    clamp_min: int = -128
    clamp_max: int = 127
    epilogue: Epilogue | None = None

    @property
    def macs(self) -> int:
        return self.m * self.k * self.n

    @property
    def wide_results(self) -> bool:
        """Whether a result has the 32 bits of an accumulator."""
        return BITS[self.out_format] == 32

    @property
    def is_float(self) -> bool:
        """Whether sums are fp32."""
        return self.format not in (Format.INT8, Format.INT4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The block of the result that one tile computes, and the endpoint that serves it.

    ``group``: the tiles that compute the same block from other operands along K, this one too, in
    the order of K; empty if the tile has all of K. ``k0``, ``k``: the operands of a tile with a
    group.
    """

    tile: tuple[int, int]
    endpoint: int
    m0: int
    m: int
    n0: int
    n: int
    group: tuple[tuple[int, int], ...] = ()
    k0: int = 0
    k: int = 0

    @property
    def position(self) -> int:
        """The tile's place in its group."""
        return self.group.index(self.tile)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocking:
    """How a tile walks its part: blocks of ``m x n`` results, ``k`` operands at a time.

    With ``m_outer``, the operands of ``m`` rows of ``a`` stay while all blocks of their rows are
    computed; otherwise the columns of ``b`` stay. ``first_k`` operands begin the first blocks, each
    piece ``growth`` halves of the one before, up to ``k``, so that the array starts early. The last
    block is halved ``tail_m`` times by rows and ``tail_n`` times by columns, so that little is left
    to store when the array stops; these blocks are drained in ``tail_pieces``.
    ``a_quarters`` of the scratchpad's first three quarters hold ``a``. Of a part that a group of
    tiles computes, the partial sums of each block are cut into ``pieces`` by rows, each of which
    another tile of the group adds up.
    """

    m: int
    n: int
    k: int
    m_outer: bool
    first_k: int
    tail_m: int
    tail_n: int
    a_quarters: int
    growth: int = 4
    tail_pieces: int = 2
    pieces: int = 1
    resident: bool = False


def ceil_div(value: int, by: int) -> int:
    return -(-value // by)


def split(length: int, largest: int, unit: int = 1) -> list[tuple[int, int]]:
    """``length`` in the fewest pieces of at most ``largest``, even to one ``unit``: (start, length)
    of each.

    >>> split(100, 48, 16)
    [(0, 48), (48, 32), (80, 20)]
    """
    units = ceil_div(length, unit)
    pieces = ceil_div(units, max(1, largest // unit))
    small, extra = divmod(units, pieces)
    found, start = [], 0
    for piece in range(pieces):
        size = min((small + (piece < extra)) * unit, length - start)
        found.append((start, size))
        start += size
    return found


def check_sizes(task: GemmTask, config: ChipConfig) -> None:
    """Refuses sums that could leave int32.

    Raises
    ------
    ValueError
        if K is above ``max_exact_k``.
    """
    if not task.is_float and task.k > config.tile.max_exact_k:
        raise ValueError(
            f"k must be at most {config.tile.max_exact_k} for exact int32 sums, not {task.k}; "
            "split K and add the results"
        )
