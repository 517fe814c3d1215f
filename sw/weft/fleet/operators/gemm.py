"""Matrix multiplication `(M, K) x (K, N)`: one function for every machine."""

import numpy as np

from weft.fleet.errors import FleetError
from weft.fleet.machines import Machine, operand_bytes
from weft.fleet.operators.cost import OpCost
from weft.fleet.operators.gemm_gpu import gpu_gemm_times
from weft.fleet.operators.gemm_weft import weft_gemm_counts
from weft.fleet.operators.weft_plans import as_compiled
from weft.fleet.quantity import Num

__all__ = ["gemm"]


def gemm(
    machine: Machine,
    m: int,
    k: int,
    n: int,
    *,
    precision: str = "bf16",
    batch: int = 1,
    out_bytes: float | None = None,
    name: str = "gemm",
    extra_bytes: float = 0.0,
    resident: bool = False,
) -> OpCost:
    """Cost of `batch` independent products `(m, k) x (k, n)`.

    Parameters
    ----------
    m, k, n, batch : int
        At least 1 each. `n` is the side of the weights.
    precision : str
        Operand format; accumulation is wider and free.
    out_bytes : float, optional
        Bytes of one result element (default: those of the operands, at least 2).
    extra_bytes : float
        Further DRAM traffic fused into the kernel (a residual read, a bias).
    resident : bool
        The operands and result stay in on-chip memory (fused kernels): no DRAM traffic.
    """
    for label, size in (("m", m), ("k", k), ("n", n), ("batch", batch)):
        if np.any(np.asarray(size) < 1):
            raise FleetError(f"gemm {label} must be at least 1, not {size}")
    width = operand_bytes(precision)
    out = max(width, 2.0) if out_bytes is None else out_bytes
    flops = 2.0 * m * k * n * batch
    if machine.array is not None:
        counts = weft_gemm_counts(machine.array, m, k, n, width, out, batch)
        if not resident:
            counts = as_compiled(machine.array, counts, m, k, n, batch)
        moved = 0.0 if resident else counts.memory_bytes + extra_bytes
        rate = machine.peak(precision) / machine.peak("int8")
        compute = counts.cycles / (machine.array.clock_hz * rate)
        memory = moved / (machine.memory_bandwidth_bytes_per_s * machine.vector.memory_fraction)
        overhead: Num = counts.command_cycles / machine.array.clock_hz
        time = overhead + np.maximum(compute, memory)
        return OpCost(name, flops, moved, 0.0, time, compute, memory)
    moved = 0.0 if resident else batch * (width * (m * k + k * n) + out * m * n) + extra_bytes
    compute, memory, time = gpu_gemm_times(machine, m, k, n, batch, moved, precision)
    return OpCost(name, flops, moved, 0.0, time, compute, memory)
