"""Commands of the matmul and vector engines, and the two that move nothing."""

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from ..formats.table import Format
from .codes import CommandHeader, Engine, VectorOutput

__all__ = ["FenceCommand", "MatmulCommand", "NopCommand", "ProgramCommand", "RunCommand",
           "StreamOperand", "VectorCommand"]


class NopCommand(data.Struct):
    """Does nothing on ``engine`` but wait, signal and complete."""

    header: CommandHeader
    engine: Engine


class FenceCommand(data.Struct):
    """Waits until every earlier command has completed, then writes a record to the host."""

    header: CommandHeader
    sequence: unsigned(32)
    """Copied into the record."""
    interrupt: unsigned(1)
    """Raise the completion interrupt after the record's write response."""


class MatmulCommand(data.Struct):
    """``acc[m, n] (+)= sum over k of a[m, k] * w[k, n]`` for an M x K by K x N block.

    ``a[m, kb*R : kb*R+R]`` is scratchpad unit ``a_row + m * a_stride + kb``; ``w[k, nb*C :
    nb*C+C]`` is scratchpad unit ``w_row + k * w_stride + nb`` (units of ``format``); ``acc[m, nb*C
    : nb*C+C]`` is accumulator row ``acc_row + nb * acc_stride + m``, int32 or, for floating-point
    operands, fp32. Operands beyond K and weights beyond N count as zero whatever the scratchpad
    holds. Blocks run with nb outermost, then kb, then m; block ``kb = 0`` overwrites unless
    ``accumulate``. With ``acc_stride < m`` columns of blocks share rows: the later one overwrites
    or adds to what the earlier one left.

    With ``scaled`` (fp8 only) every 32 operands along K share a power of two. The scale (E8M0) of
    ``a[m, 32*s : 32*s+32]`` is byte ``m % row_bytes`` of scratchpad row ``a_scale_row + s *
    a_scale_stride + m // row_bytes``; those of ``w[32*s : 32*s+32, nb*C : nb*C+C]`` are int8 unit
    ``w_scale_row + s * w_scale_stride + nb``.
    """

    header: CommandHeader
    m: unsigned(16)
    k: unsigned(16)
    n: unsigned(16)
    acc_stride: unsigned(16)
    a_row: unsigned(32)
    w_row: unsigned(32)
    acc_row: unsigned(32)
    a_stride: unsigned(16)
    w_stride: unsigned(16)
    accumulate: unsigned(1)
    format: Format
    scaled: unsigned(1)
    a_scale_row: unsigned(32)
    w_scale_row: unsigned(32)
    a_scale_stride: unsigned(16)
    w_scale_stride: unsigned(16)


class VectorCommand(data.Struct):
    """Reads an M x N block of accumulators, adds bias, writes it to the scratchpad (int8 or int32).

    Element ``[m, nb*C + c]`` is lane ``c`` of accumulator row ``acc_row + nb * acc_stride + m``.
    Output row ``m`` begins at scratchpad unit ``out_row + m * out_stride`` and takes one int8 unit
    for each nb (INT8) or ``4*C / row_bytes`` rows (INT32), nb in order. ``bias`` (int32) and
    ``scale`` (float32) are vectors of N in the scratchpad, packed from rows ``bias_row`` and
    ``scale_row`` on. ``residual[m, nb*C : nb*C+C]`` (int8) is scratchpad unit
    ``residual_row + m * residual_stride + nb``. ReLU is ``clamp_min = zero_point``.
    """

    header: CommandHeader
    m: unsigned(16)
    n: unsigned(16)
    acc_stride: unsigned(16)
    out_stride: unsigned(16)
    acc_row: unsigned(32)
    out_row: unsigned(32)
    bias_row: unsigned(32)
    scale_row: unsigned(32)
    residual_row: unsigned(32)
    residual_stride: unsigned(16)
    zero_point: signed(8)
    clamp_min: signed(8)
    clamp_max: signed(8)
    output: VectorOutput
    use_bias: unsigned(1)
    use_residual: unsigned(1)


class StreamOperand(data.Struct):
    """A matrix that a microprogram reads or writes a vector at a time.

    The vector of matrix row ``i`` and column block ``j`` begins at unit
    ``row + i * row_stride + j * block_stride`` of its format, in the scratchpad or, if
    ``accumulator``, in accumulator rows (INT32 or FP32, one row a vector). Strides are two's
    complement.
    """

    row: unsigned(24)
    row_stride: signed(16)
    block_stride: signed(16)
    format: Format
    accumulator: unsigned(1)
    reserved: unsigned(3)


class ProgramCommand(data.Struct):
    """Loads ``count`` microinstructions (8 bytes each, packed in the scratchpad from row ``row``)
    into the vector engine's store, from entry ``start`` on."""

    header: CommandHeader
    row: unsigned(32)
    count: unsigned(16)
    start: unsigned(16)


class RunCommand(data.Struct):
    """Runs the microprogram at ``start`` over an M x N matrix: see ``vector.microcode``."""

    header: CommandHeader
    streams: data.ArrayLayout(StreamOperand, 4)
    m: unsigned(16)
    n: unsigned(16)
    start: unsigned(16)
    scalars: data.ArrayLayout(unsigned(32), 4)
    """Values that the program may use in place of a register."""
