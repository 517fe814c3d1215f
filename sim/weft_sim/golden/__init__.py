"""Goldens: pure functions on numpy arrays, bit-exact: what hardware and models must compute.

==========================  ============================================================
``matmul_int8``             int8 times int8 into int32, exactly
``requantise``              int32 accumulators to int8: bias, scale, residual, clamp
``vector_int32``            int32 accumulators plus bias
==========================  ============================================================
"""

from .matmul import matmul_int8
from .requantise import requantise, vector_int32

__all__ = ["matmul_int8", "requantise", "vector_int32"]
