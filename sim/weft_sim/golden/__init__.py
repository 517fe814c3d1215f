"""Goldens: pure functions on numpy arrays, bit-exact: what hardware and models must compute.

==========================  ============================================================
``matmul_int8``             int8 times int8 into int32, exactly
``matmul_float``            bf16 numbers into fp32, in the array's order
``matmul_split``            the same, K shared out among tiles
``error_bound``             how far that may be from the exact product
``decode_operands``         bytes of any operand format to what the array sees
``encode_operands``         the reverse
``scale_operands``          block scales (MX)
``requantise``              int32 accumulators to int8: bias, scale, residual, clamp
``vector_int32``            int32 accumulators plus bias
==========================  ============================================================
"""

from .formats import SCALE_BLOCK, decode_operands, encode_operands, scale_operands
from .matmul import matmul_int8
from .matmul_float import error_bound, matmul_float
from .matmul_split import matmul_split
from .requantise import requantise, vector_int32

__all__ = [
    "SCALE_BLOCK",
    "decode_operands",
    "encode_operands",
    "error_bound",
    "matmul_float",
    "matmul_int8",
    "matmul_split",
    "requantise",
    "scale_operands",
    "vector_int32",
]
