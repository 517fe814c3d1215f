"""The tables of a scenario as dataclasses; units are in the names."""

from dataclasses import dataclass, fields

from weft.fleet.models import ModelShape
from weft.fleet.quantity import Quantity
from weft.fleet.training import Layout

__all__ = [
    "ChipSpec",
    "RankingSpec",
    "ScenarioSpec",
    "ServingSpec",
    "SiteSpec",
    "TrainingSpec",
    "layout_of",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipSpec:
    """Which chip, how many, and (for Weft) its design."""

    name: str
    """A GPU of `weft.fleet.GPU_NAMES`, or `weft`."""
    count: int = 1
    node_chips: int = 8
    cooling: str = "liquid"
    power_limit_w: float | None = None
    preset: str = "fleet"
    """Weft: configuration it starts from."""
    array: int | None = None
    """Weft: rows and columns of a tile's array."""
    tile_cols: int | None = None
    tile_rows: int | None = None
    memory_endpoints: int | None = None
    scratchpad_kib: int | None = None
    formats: list[str] | None = None
    hbm_stacks: int | None = None
    scaleup_gb_per_s: float | None = None
    scaleout_gb_per_s: float | None = None
    process: str = "n5"
    """Weft: n7, n5, n3e or n2."""
    board_power_max_w: float | None = None
    volume: float | None = None
    """Weft: chips over which one-off costs are spread (default: the count)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSpec:
    """One synchronous job; the fleet runs as many of them as it has chips for."""

    global_batch: int
    """Sequences per step."""
    seq: int = 8192
    precision: str = "bf16"
    tensor: int = 1
    pipeline: int = 1
    data: int = 1
    context: int = 1
    expert: int = 1
    interleave: int = 1
    microbatch: int = 1
    recompute: str = "none"
    zero: int = 1
    tokens: float | None = None
    """Length of the whole run, for days and cost."""
    search: bool = False
    """Look for the fastest layout of all the chips instead of using the one given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSpec:
    """Replicas of `tensor x expert` chips with continuous batching."""

    input_tokens: int
    output_tokens: int
    batch: int | None = None
    """Most sequences a replica decodes together; left out: what its memory holds."""
    precision: str = "fp8"
    kv_precision: str | None = None
    tensor: int = 1
    expert: int = 1
    """Groups of chips that share the experts of a mixture."""
    requests_per_s: float | None = None
    """Load of all serving chips together; left out: the largest within the objectives."""
    draft_tokens: int | None = None
    """Speculative decoding: tokens proposed per check (with `acceptance`)."""
    acceptance: float | None = None
    ttft_s: float | None = None
    """Limit on the time to the first token."""
    tpot_s: float | None = None
    """Limit on the time per further token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingSpec:
    """Recommendation (DLRM-DCNv2, the MLPerf model) on a share of the chips; a "token" of it is a
    sample, one user-item pair."""

    share: float
    """Of all chips of the fleet; taken off before training and serving divide the rest."""
    batch: int = 8192
    """Samples of a batch over a replica."""
    replica_chips: int = 8
    precision: str = "bf16"
    table_precision: str = "fp16"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSpec:
    """The site; what is left out comes from the constants."""

    power_limit_mw: float | None = None
    pue: str | None = None
    """Key of the constant to use for PUE at full load."""
    electricity: str | None = None
    """Key of the constant for the price of energy."""
    grid: str | None = None
    """Key of the constant for the grid's carbon intensity."""
    renewable_share: float = 0.0
    """Contracted renewable energy over yearly demand."""
    matched_share: float = 0.7
    """Share of it that is produced while there is demand."""
    storage_share: float = 0.0
    """Largest share of demand that storage moves."""
    optics: str = "pluggable"
    fabric_layers: int = 3
    training_share: float = 0.5
    """Share of the chips that trains, where a scenario has both kinds of work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioSpec:
    """A checked scenario file."""

    name: str
    title: str
    about: str
    chip: ChipSpec
    rival: ChipSpec
    model: ModelShape
    training: TrainingSpec | None
    serving: ServingSpec | None
    rival_training: TrainingSpec | None
    rival_serving: ServingSpec | None
    site: SiteSpec
    ranking: RankingSpec | None = None
    rival_given: bool = False
    """Whether the file names a rival; one that was not asked for may be refused quietly."""
    facts: tuple[Quantity, ...] = ()
    fleet: str = ""
    """Name of the fleet whose public facts this scenario is checked against."""
    origin: str = "given"


def layout_of(spec: TrainingSpec) -> Layout:
    """The layout that a training table describes."""
    names = {f.name for f in fields(Layout)}
    return Layout(**{f.name: getattr(spec, f.name) for f in fields(spec) if f.name in names})
