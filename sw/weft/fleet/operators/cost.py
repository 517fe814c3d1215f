"""The result every operator returns: integer-like counts first, time second."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from weft.fleet.quantity import Num

__all__ = ["OpCost", "total"]


@dataclass(frozen=True, slots=True)
class OpCost:
    """What one operator does and how long it takes on one chip."""

    name: str
    flops: Num
    """Useful operations, 2 per multiply-accumulate."""
    memory_bytes: Num
    """Bytes read from and written to DRAM/HBM."""
    network_bytes: Num
    """Bytes this chip sends."""
    time_s: Num
    compute_s: Num = 0.0
    """Time the arithmetic alone would need."""
    memory_s: Num = 0.0
    """Time the memory traffic alone would need."""
    calls: int = 1

    def times(self, count: int, name: str | None = None) -> "OpCost":
        """The same operator run `count` times one after another."""
        return OpCost(
            name=name or self.name,
            flops=self.flops * count,
            memory_bytes=self.memory_bytes * count,
            network_bytes=self.network_bytes * count,
            time_s=self.time_s * count,
            compute_s=self.compute_s * count,
            memory_s=self.memory_s * count,
            calls=self.calls * count,
        )

    @property
    def bound(self) -> str:
        """`compute`, `memory` or `network`: which part is largest (median over draws)."""
        parts = {
            "compute": float(np.median(self.compute_s)),
            "memory": float(np.median(self.memory_s)),
        }
        if float(np.median(self.network_bytes)) > 0:
            return "network"
        return max(parts, key=parts.__getitem__)


def total(costs: Iterable[OpCost], name: str = "total") -> OpCost:
    """The sum of operators that run one after another."""
    costs = list(costs)
    fields = ("flops", "memory_bytes", "network_bytes", "time_s", "compute_s", "memory_s", "calls")
    return OpCost(name=name, **{f: sum(getattr(c, f) for c in costs) for f in fields})
