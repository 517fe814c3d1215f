"""Kernels: validated operations on device buffers, and layers built from them."""

from .conv import Conv2d
from .linear import Linear, Sequential
from .matmul import PlannedMatmul, matmul_async, plan_matmul

__all__ = ["Conv2d", "Linear", "PlannedMatmul", "Sequential", "matmul_async", "plan_matmul"]
