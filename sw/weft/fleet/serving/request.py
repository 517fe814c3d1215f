"""What is asked of a serving fleet: traffic, objectives, and how replicas are laid out."""

from dataclasses import dataclass

from weft.fleet.errors import FleetError
from weft.fleet.models import ModelShape

__all__ = ["ServingPlan", "Slo", "Speculation", "Traffic"]


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests of one kind: mean lengths in tokens and their spread."""

    input_tokens: int
    output_tokens: int
    output_cv: float = 0.7
    """Coefficient of variation of output lengths (0: all alike)."""
    cached_input_share: float = 0.0
    """Share of input tokens found in a prefix cache: they need memory, no prefill."""

    def __post_init__(self) -> None:
        for name in ("input_tokens", "output_tokens"):
            if getattr(self, name) < 1:
                raise FleetError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.output_cv < 0:
            raise FleetError(f"output_cv must not be negative, not {self.output_cv}")
        if not 0 <= self.cached_input_share < 1:
            raise FleetError(f"cached_input_share must be in [0, 1), not {self.cached_input_share}")

    @property
    def prefill_tokens(self) -> float:
        """Input tokens that must be computed."""
        return self.input_tokens * (1.0 - self.cached_input_share)

    @property
    def mean_context(self) -> int:
        """Tokens a decode step attends on average over a request's life."""
        return max(1, round(self.input_tokens + 0.5 * self.output_tokens))


@dataclass(frozen=True, slots=True)
class Slo:
    """Service-level objectives; None: no objective."""

    ttft_s: float | None = None
    """Time to first token, at `quantile`."""
    tpot_s: float | None = None
    """Time per output token, at `quantile`."""
    quantile: float = 0.99

    def __post_init__(self) -> None:
        for name in ("ttft_s", "tpot_s"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise FleetError(f"{name} must be positive, not {value}")
        if not 0.5 <= self.quantile < 1:
            raise FleetError(f"quantile must be in [0.5, 1), not {self.quantile}")


@dataclass(frozen=True, slots=True)
class Speculation:
    """Speculative decoding: a draft proposes, one pass of the model checks.

    With `draft_tokens = k` and acceptance `a` per token, a check yields
    `(1 - a^(k+1)) / (1 - a)` tokens.
    """

    draft_tokens: int
    acceptance: float
    draft: ModelShape | None = None
    """None: heads on the model itself (Medusa, MTP), priced as free."""

    def __post_init__(self) -> None:
        if self.draft_tokens < 1:
            raise FleetError(f"draft_tokens must be at least 1, not {self.draft_tokens}")
        if not 0 <= self.acceptance < 1:
            raise FleetError(f"acceptance must be in [0, 1), not {self.acceptance}")

    @property
    def tokens_per_check(self) -> float:
        """Expected tokens of one pass of the model."""
        a = self.acceptance
        return (1.0 - a ** (self.draft_tokens + 1)) / (1.0 - a)


@dataclass(frozen=True, slots=True)
class ServingPlan:
    """How one replica is laid out. A replica is `tensor * expert` chips."""

    precision: str = "fp8"
    kv_precision: str | None = None
    """Format of the cache (default: `precision`)."""
    tensor: int = 1
    expert: int = 1
    """Groups that share the experts; attention is data-parallel over them."""
    max_batch: int | None = None
    """Most sequences in flight per replica (default: what memory holds)."""
    speculation: Speculation | None = None
    prefill_chips: int = 0
    """Disaggregated: of the chips given to `serve`, these only prefill (0: shared)."""
    node_chips: int = 8
    switched: bool = True
    """False: chips of a node are wired to each other, so a group of `tensor` sees only
    `(tensor - 1) / (node_chips - 1)` of their links (4-GPU baseboards have no link switch)."""
    nodes: int = 1
    """Nodes behind one request scheduler (requests cross the network when above 1)."""

    def __post_init__(self) -> None:
        for name in ("tensor", "expert", "node_chips", "nodes"):
            if getattr(self, name) < 1:
                raise FleetError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.max_batch is not None and self.max_batch < 1:
            raise FleetError(f"max_batch must be at least 1, not {self.max_batch}")
        if self.prefill_chips < 0:
            raise FleetError(f"prefill_chips must not be negative, not {self.prefill_chips}")

    @property
    def replica_chips(self) -> int:
        return self.tensor * self.expert

    @property
    def cache_precision(self) -> str:
        return self.kv_precision or self.precision
