"""The memory behind the chip's AXI ports: one description for the cycle model and the compiled RTL.

All ports (memory endpoints and the host port) see the same bytes. Each port has its own data bus:

* A read burst accepted in cycle ``t`` delivers its first beat no earlier than ``t + latency_cycles``.
* Read and write beats of a port share its bus, which moves ``bytes_per_cycle``; a beat of the port's width occupies it for
  ``ceil(width / bytes_per_cycle)`` cycles. Reads and writes alternate when both wait.
* A write's response comes ``latency_cycles`` after its last beat.
* In each cycle each port's bus stalls with probability ``stall_probability`` (xorshift32, seeded by ``stall_seed`` and the port).
* An access that touches ``[error_base, error_limit)``, or lies beyond the memory, answers SLVERR and changes nothing.
"""

from dataclasses import dataclass

__all__ = ["Dram"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dram:
    """Memory parameters.

    Raises
    ------
    ValueError
        naming the quantity, the rule and the value.
    """

    size_bytes: int = 64 * 1024 * 1024
    latency_cycles: int = 100
    bytes_per_cycle: int | None = None
    """Bus of each port; None is the width of the port (one beat a cycle)."""
    stall_probability: float = 0.0
    stall_seed: int = 1
    error_base: int = 0
    error_limit: int = 0
    """Addresses that answer with an error (fault injection); none while base equals limit."""

    def __post_init__(self) -> None:
        rules = (
            ("size_bytes", self.size_bytes >= 4096 and self.size_bytes % 4096 == 0, "a positive multiple of 4096"),
            ("latency_cycles", 1 <= self.latency_cycles <= 100_000, "between 1 and 100,000"),
            ("bytes_per_cycle", self.bytes_per_cycle is None or self.bytes_per_cycle >= 1, "at least 1"),
            ("stall_probability", 0.0 <= self.stall_probability <= 0.95, "between 0 and 0.95"),
            ("stall_seed", 1 <= self.stall_seed < 2**32, "between 1 and 2**32 - 1"),
            ("error_limit", self.error_limit >= self.error_base, "at least error_base"),
        )
        for name, ok, rule in rules:
            if not ok:
                raise ValueError(f"{name} must be {rule}, not {getattr(self, name)}")
