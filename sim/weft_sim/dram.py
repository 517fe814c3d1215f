"""The memory behind the chip's AXI ports: one description for the cycle model and the compiled RTL.

All ports (memory endpoints ``0 .. n-1``, then the host port as number ``n``) see the same
bytes. Each port has its own data bus and is a synchronous circuit: what it drives in a cycle
depends on what happened in earlier cycles. In each cycle, in this order (ports in the order of
their numbers):

1. If ``stall_probability`` is not zero, the port draws the next number of its xorshift32
   generator (shifts 13, 17, 5; state ``stall_seed ^ (0x9E3779B9 * (port + 1) mod 2**32)``, or 1
   if that is zero; the first draw is for cycle 0). A draw below ``stall_threshold`` stalls the
   cycle: no beat crosses the bus, no response is raised, and AR, AW and W are not ready.
2. One beat crosses the bus if the bus is free, and occupies it for ``beat_cycles`` cycles, this
   one included. Candidates are the next read beat, if its burst's ``latency_cycles`` are over
   and the R channel is empty, and the write beat in the one-beat buffer behind W, if its
   burst's address has come. If both wait, the kind that did not cross last does. A read beat is
   on the R channel in this very cycle. A write beat changes the memory now.
3. The first response that is due is put on the B channel if that is empty.
4. AR and AW are ready (any number of bursts wait, served in order); W is ready if its buffer is
   empty.
5. The handshakes of the cycle are taken. A read burst accepted in cycle ``t`` may cross from
   ``t + latency_cycles`` on; a write beat accepted in cycle ``t`` from ``t + 1`` on; the
   response is due ``latency_cycles`` after the last beat crossed.

So, without contention or stalls: a read burst of ``b`` beats accepted in cycle ``t`` delivers
beat ``i`` in cycle ``t + latency_cycles + i * beat_cycles``, and a write burst whose last beat
is accepted in cycle ``t`` is answered in cycle ``t + 1 + latency_cycles``. Reads and writes
together move ``bytes_per_cycle``, rounded down to a beat every so many cycles.

A burst whose beats touch ``[error_base, error_limit)`` or lie beyond the memory answers SLVERR:
reads give zeros, writes change nothing. It takes the same time.
"""

from dataclasses import dataclass

__all__ = ["Dram"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dram:
    """Memory parameters.

    Raises
    ------
    TypeError, ValueError
        naming the quantity, the rule and the value.
    """

    size_bytes: int = 64 * 1024 * 1024
    latency_cycles: int = 100
    bytes_per_cycle: int | None = None
    """Bus of each port; None is the width of the port (one beat a cycle)."""
    stall_probability: float = 0.0
    """Share of cycles in which a port's bus stalls."""
    stall_seed: int = 1
    error_base: int = 0
    error_limit: int = 0
    """Addresses that answer with an error (fault injection); none while base equals limit."""

    def __post_init__(self) -> None:
        for name in ("size_bytes", "latency_cycles", "stall_seed", "error_base", "error_limit"):
            _require_integer(name, getattr(self, name))
        if self.bytes_per_cycle is not None:
            _require_integer("bytes_per_cycle", self.bytes_per_cycle)
        if isinstance(self.stall_probability, bool) or not isinstance(
            self.stall_probability, int | float
        ):
            raise TypeError(f"stall_probability must be a number, not {self.stall_probability!r}")
        rules = (
            (
                "size_bytes",
                self.size_bytes >= 4096 and self.size_bytes % 4096 == 0,
                "a positive multiple of 4096",
            ),
            ("latency_cycles", 1 <= self.latency_cycles <= 100_000, "between 1 and 100,000"),
            (
                "bytes_per_cycle",
                self.bytes_per_cycle is None or self.bytes_per_cycle >= 1,
                "at least 1",
            ),
            ("stall_probability", 0.0 <= self.stall_probability <= 0.95, "between 0 and 0.95"),
            ("stall_seed", 1 <= self.stall_seed < 2**32, "between 1 and 2**32 - 1"),
            ("error_base", 0 <= self.error_base < 2**64, "between 0 and 2**64 - 1"),
            ("error_limit", self.error_limit >= self.error_base, "at least error_base"),
            ("error_limit", self.error_limit < 2**64, "below 2**64"),
        )
        for name, ok, rule in rules:
            if not ok:
                raise ValueError(f"{name} must be {rule}, not {getattr(self, name)}")

    def beat_cycles(self, port_bytes: int) -> int:
        """Cycles for which a beat of a port ``port_bytes`` wide occupies its bus."""
        rate = port_bytes if self.bytes_per_cycle is None else self.bytes_per_cycle
        return -(-port_bytes // rate)

    @property
    def stall_threshold(self) -> int:
        """A cycle stalls if its 32-bit draw is below this."""
        return round(self.stall_probability * 2**32)


def _require_integer(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, not {value!r}")
