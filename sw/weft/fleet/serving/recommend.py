"""Recommendation inference (DLRM): embedding gathers, feature interaction, small MLPs.

Tables that do not fit on one chip are shared out over a replica by rows: every chip looks up its
part for the whole batch and an all-to-all brings each sample's vectors together. The MLPs are
data-parallel. A sample is one user-item pair.
"""

from dataclasses import dataclass, replace

import numpy as np

from weft.fleet.constants import Constants, default_constants
from weft.fleet.errors import FleetError, InfeasibleError
from weft.fleet.machines import Machine, operand_bytes
from weft.fleet.operators import OpCost, all_to_all, elementwise, gemm, total
from weft.fleet.quantity import Num
from weft.fleet.serving.queueing import lane_wait_quantile_s

__all__ = ["RecommendResult", "RecommendShape", "dlrm_dcnv2", "recommend"]


@dataclass(frozen=True, slots=True)
class RecommendShape:
    """A deep recommendation model."""

    name: str
    table_rows: tuple[int, ...]
    """Rows of each embedding table."""
    lookups: tuple[int, ...]
    """Rows gathered from each table per sample (multi-hot)."""
    dim: int
    dense_features: int
    bottom_mlp: tuple[int, ...]
    top_mlp: tuple[int, ...]
    cross_layers: int = 0
    """DCNv2 cross layers of low rank `cross_rank`; 0: dot-product interaction."""
    cross_rank: int = 0

    def __post_init__(self) -> None:
        if len(self.table_rows) != len(self.lookups):
            raise FleetError(
                f"{self.name}: lookups ({len(self.lookups)}) must name one number per table "
                f"({len(self.table_rows)})"
            )
        if not self.table_rows or min(self.table_rows) < 1 or min(self.lookups) < 1:
            raise FleetError(f"{self.name}: every table needs at least one row and one lookup")
        if not self.top_mlp or self.dim < 1:
            raise FleetError(f"{self.name}: dim and top_mlp must not be empty")

    @property
    def embedding_params(self) -> int:
        return sum(self.table_rows) * self.dim

    @property
    def interaction_width(self) -> int:
        """Width of what enters the top MLP."""
        vectors = len(self.table_rows) + 1
        if self.cross_layers:
            return vectors * self.dim
        return vectors * (vectors - 1) // 2 + self.dim

    def layers(self) -> tuple[tuple[str, int, int], ...]:
        """Dense products of one sample as (name, K, N)."""
        out = []
        width = self.dense_features
        for size in self.bottom_mlp:
            out.append(("bottom", width, size))
            width = size
        vectors = len(self.table_rows) + 1
        for _ in range(self.cross_layers):
            out += [
                ("cross_down", vectors * self.dim, self.cross_rank),
                ("cross_up", self.cross_rank, vectors * self.dim),
            ]
        width = self.interaction_width
        for size in self.top_mlp:
            out.append(("top", width, size))
            width = size
        return tuple(out)

    @property
    def flops_per_sample(self) -> float:
        return float(sum(2 * k * n for _, k, n in self.layers()))


def dlrm_dcnv2() -> RecommendShape:
    """The MLPerf model: Criteo 1TB multi-hot, 26 tables of width 128, DCNv2.

    Source: MLPerf inference recommendation/dlrm_v2 reference (table sizes and multi-hot counts).
    """
    rows = (
        40_000_000,
        39060,
        17295,
        7424,
        20265,
        3,
        7122,
        1543,
        63,
        40_000_000,
        3067956,
        405282,
        10,
        2209,
        11938,
        155,
        4,
        976,
        14,
        40_000_000,
        40_000_000,
        40_000_000,
        590152,
        12973,
        108,
        36,
    )
    hot = (3, 2, 1, 2, 6, 1, 1, 1, 1, 7, 3, 8, 1, 6, 9, 5, 1, 1, 1, 12, 100, 27, 10, 3, 1, 1)
    return RecommendShape(
        "dlrm-dcnv2", rows, hot, 128, 13, (512, 256, 128), (1024, 1024, 512, 256, 1), 3, 512
    )


@dataclass(frozen=True, slots=True)
class RecommendResult:
    """Samples per second of a replica fleet, and latency of a batch."""

    samples_per_s: Num
    saturation_samples_per_s: Num
    latency_s: Num
    """Quantile of wait plus batch time."""
    utilisation: Num
    batch: int
    chips: int
    work: OpCost
    """One batch on one chip."""


def _gather(machine: Machine, shape: RecommendShape, samples: float, row_bytes: float) -> OpCost:
    """Lookups of `samples` samples with pooling in the same kernel: rows in, sums out.

    Each row costs whole 64-byte bursts; one fp16 vector per table leaves.
    """
    bursts = np.ceil(row_bytes / 64.0) * 64.0
    rows = samples * sum(shape.lookups)
    pooled = samples * len(shape.table_rows) * shape.dim * 2.0
    return elementwise(machine, rows * bursts + pooled, rows * shape.dim, name="embedding")


def _batch(
    machine: Machine,
    shape: RecommendShape,
    batch: int,
    chips: int,
    precision: str,
    table: str,
    replicated: bool,
) -> OpCost:
    """One batch of the whole replica, on one chip.

    Sharded tables: a chip gathers a share of every sample's rows and sends sums to the samples'
    chips. Replicated: a chip gathers all rows of its own samples.
    """
    local = max(1, -(-batch // chips))
    ops = [_gather(machine, shape, batch / chips, shape.dim * operand_bytes(table))]
    if chips > 1 and not replicated:
        pooled = 1.0 * batch * len(shape.table_rows) * shape.dim * 2.0 / chips
        ops.append(all_to_all(machine, pooled, chips))
    ops += [
        gemm(machine, local, k, n, precision=precision, name=name) for name, k, n in shape.layers()
    ]
    vectors = len(shape.table_rows) + 1
    if not shape.cross_layers:
        ops.append(
            gemm(
                machine,
                vectors,
                shape.dim,
                vectors,
                precision=precision,
                batch=local,
                name="interaction",
            )
        )
    return total(ops, "recommend")


def recommend(
    machine: Machine,
    shape: RecommendShape,
    constants: Constants | None = None,
    *,
    batch: int = 8192,
    chips: int = 8,
    precision: str = "fp16",
    table_precision: str = "fp16",
    replicated: bool | None = None,
    load_samples_per_s: float | None = None,
    latency_s: float | None = None,
    quantile: float = 0.99,
) -> RecommendResult:
    """Serve a recommendation model on one replica of `chips` chips.

    Parameters
    ----------
    batch : int
        Samples of a batch over the whole replica.
    replicated : bool, optional
        Every chip holds all tables (default: if they fit); otherwise they are shared out.

    Notes
    -----
    Batches overlap on several streams, so the host's work per batch
    (`serving.*.iteration_overhead_ms`) adds to latency, not to the time a batch holds a chip.

    Raises
    ------
    InfeasibleError
        if the tables do not fit, the load is above saturation, or the latency is missed.
    """
    c = constants if constants is not None else default_constants()
    if batch < 1 or chips < 1:
        raise FleetError(f"batch and chips must be at least 1, not {batch} and {chips}")
    need = shape.embedding_params * operand_bytes(table_precision)
    usable = 1.0 - c.number("serving.any.memory_reserve_fraction")
    room = float(np.median(machine.memory_bytes)) * usable
    alone = need <= room
    if replicated and not alone:
        raise InfeasibleError(
            f"the tables of {shape.name} take {need / 1e9:.0f} GB and one chip of {machine.name} "
            f"gives {room / 1e9:.0f} GB",
            "replicated = False, or a narrower table_precision",
        )
    if need > room * chips:
        raise InfeasibleError(
            f"the tables of {shape.name} take {need / 1e9:.0f} GB and {chips} chips of "
            f"{machine.name} give {room * chips / 1e9:.0f} GB",
            f"chips = {int(np.ceil(need / room))}",
        )
    whole = alone if replicated is None else replicated
    work = _batch(machine, shape, batch, chips, precision, table_precision, whole)
    extra = c[f"serving.{machine.kind}.iteration_overhead_ms"] * 1e-3
    time = work.time_s * (1.0 + c[f"serving.{machine.kind}.framework_slowdown"])
    work = replace(work, time_s=time)
    saturation = batch / time
    limit = float(np.median(saturation)) * float(np.median(c["serving.any.max_utilisation"]))
    load: Num = saturation if load_samples_per_s is None else load_samples_per_s

    def wait(at: Num) -> Num:
        # a batch fills at the arrival rate, then queues for the replica
        lane = lane_wait_quantile_s(at / saturation, time, 0.0, quantile)
        return batch / at + lane + time + extra

    if load_samples_per_s is not None:
        if load_samples_per_s <= 0:
            raise FleetError(f"load_samples_per_s must be positive, not {load_samples_per_s}")
        if load_samples_per_s > limit:
            raise InfeasibleError(
                f"load_samples_per_s = {load_samples_per_s:.4g} saturates {chips} chips at "
                f"{float(np.median(saturation)):.4g} samples per second",
                f"load_samples_per_s = {limit:.4g}",
            )
    latency = time + extra if load_samples_per_s is None else wait(load)
    if latency_s is not None and float(np.median(latency)) > latency_s:
        smaller = max(1, int(batch * latency_s / float(np.median(latency))))
        raise InfeasibleError(
            f"latency of {float(np.median(latency)) * 1e3:.3g} ms at batch = {batch} is above "
            f"latency_s = {latency_s}",
            f"batch = {smaller}, or latency_s = {float(np.median(latency)):.3g}",
        )
    return RecommendResult(load, saturation, latency, load / saturation, batch, chips, work)
