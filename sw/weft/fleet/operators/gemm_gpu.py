"""GPU matrix kernels: tiles in waves over the compute units, against memory traffic.

A kernel covers the result with tiles (256x128 .. 64x64); `ceil(M/tm) ceil(N/tn)` of them run in
waves on the compute units. A wave costs `2 tm tn (K + k_fill)` operations at `peak_fraction` of the
unit's peak, smaller tiles losing some. Partial waves cost between a share and a whole
wave (`wave_softness`: libraries split K and change tiles). The kernel takes the best tile, joined
with the memory time by a p-norm, plus an overhead. Tile and wave numbers are shared by all GPUs;
share of peak, share of bandwidth and overhead belong to a GPU. `weft validate` names the rows they
were fitted on; no number belongs to one shape.
"""

import numpy as np

from weft.fleet.machines import Machine
from weft.fleet.quantity import Num

__all__ = ["TILES", "gpu_gemm_times"]

TILES = ((256, 128), (128, 256), (128, 128), (64, 128), (128, 64), (64, 64))


def gpu_gemm_times(
    machine: Machine, m: Num, k: Num, n: Num, batch: Num, moved_bytes: Num, precision: str
) -> tuple[Num, Num, Num]:
    """Seconds of (arithmetic alone, memory traffic alone, the kernel)."""
    peak = machine.peak(precision)
    curve = machine.gemm[precision]
    unit_rate = peak / machine.compute_units * curve.peak_fraction
    small = 1.0 - curve.small_tile_loss
    tiny = 1.0 - curve.tiny_tile_loss
    loss = {32768: 1.0, 16384: small, 8192: small * tiny, 4096: small * tiny * tiny}
    fill = np.where(np.asarray(batch) > 1, curve.k_fill_batched, curve.k_fill)
    compute: Num = np.inf
    for tm, tn in TILES:
        waves = np.ceil(m / tm) * np.ceil(n / tn) * batch / machine.compute_units
        cost = curve.wave_softness * np.ceil(waves) + (1.0 - curve.wave_softness) * np.maximum(
            waves, 1.0
        )
        area = tm * tn
        seconds = cost * (2.0 * area * (k + fill)) / (unit_rate * loss[area])
        compute = np.minimum(compute, seconds)
    memory = moved_bytes / (machine.memory_bandwidth_bytes_per_s * curve.memory_fraction)
    largest = np.maximum(np.maximum(compute, memory), 1e-12)
    p = curve.sharpness
    joined = largest * ((compute / largest) ** p + (memory / largest) ** p) ** (1.0 / p)
    return compute, memory, joined + curve.overhead_s
