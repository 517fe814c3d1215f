"""What a scenario file may say: one training or serving case, or a fleet that does both.

TOML, strict: an unknown key, a missing key or a wrong type is an error with file and line. Units
are in the names. `[chip]` is the chip as built, `[rival]` the chip it is compared with (default: the
Weft chip). `[rival_training]` and `[rival_serving]` hold the rival's own layout where it differs.
`[[fact]]` overrides a constant for this scenario alone, with its source.
"""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from weft.fleet.errors import FleetError
from weft.fleet.models import ModelShape, model
from weft.fleet.quantity import Quantity
from weft.fleet.strict_toml import Field, load, loads
from weft.fleet.training import Layout

__all__ = [
    "SCHEMA",
    "ChipSpec",
    "ScenarioSpec",
    "ServingSpec",
    "SiteSpec",
    "TrainingSpec",
    "parse",
    "read",
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
    facts: tuple[Quantity, ...] = ()
    fleet: str = ""
    """Name of the fleet whose public facts this scenario is checked against."""
    origin: str = "given"
    line_of: dict[str, str] = field(default_factory=dict)


_TEXT: Field = ((str,), False)
_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (float,),
    "bool": (bool,),
    "list[str]": (list,),
    "float | None": (float,),
    "int | None": (int,),
    "str | None": (str,),
    "list[str] | None": (list,),
}


def _table(cls: type, required: tuple[str, ...] = ()) -> dict[str, Field]:
    names = {f.name: str(f.type).removeprefix("<class '").removesuffix("'>") for f in fields(cls)}
    return {name: (_KINDS[kind], name in required) for name, kind in names.items()}


_MODEL = {
    f.name: ((bool,) if f.type is bool else (int,) if f.type is int else (str,), False)
    for f in fields(ModelShape)
}
_FACT_KEYS = [f.name for f in fields(Quantity) if f.name != "origin"]

SCHEMA: dict[str, Any] = {
    "name": _TEXT,
    "title": _TEXT,
    "about": _TEXT,
    "fleet": _TEXT,
    "chip": _table(ChipSpec, ("name",)),
    "rival": _table(ChipSpec, ()),
    "model": _MODEL,
    "training": _table(TrainingSpec),
    "serving": _table(ServingSpec),
    "rival_training": _table(TrainingSpec),
    "rival_serving": _table(ServingSpec),
    "site": _table(SiteSpec),
    "fact": ((list,), False),
}


def _model(table: dict[str, Any], where: str) -> ModelShape:
    if set(table) == {"name"}:
        return model(table["name"])
    needs = [k for k in ("layers", "d_model", "heads", "vocab") if k not in table]
    if needs:
        raise FleetError(
            f"{where}: [model] needs {', '.join(needs)}, or name alone for a known model"
        )
    return ModelShape(**{"name": "given", **table})


def _positive(spec: Any, where: str, table: str) -> None:
    """Numbers of a table must be positive; shares below one."""
    for f in fields(spec):
        value = getattr(spec, f.name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        low_ok = (
            value >= 0
            if f.name in ("zero", "training_share", "renewable_share", "storage_share")
            else value > 0
        )
        if not low_ok:
            raise FleetError(f"{where}: {table}.{f.name} must be positive, not {value}")
        if f.name == "training_share" and value > 1:
            raise FleetError(f"{where}: {table}.{f.name} must be at most 1, not {value}")


def _needs(where: str, table: str, given: dict[str, Any], names: tuple[str, ...]) -> None:
    missing = [n for n in names if n not in given]
    if missing:
        raise FleetError(f"{where}: missing key {table + '.' + missing[0]!r}")


def _facts(entries: list[Any], where: str) -> tuple[Quantity, ...]:
    facts = []
    for entry in entries:
        unknown = sorted(set(entry) - set(_FACT_KEYS))
        if unknown:
            raise FleetError(
                f"{where}: unknown key 'fact.{unknown[0]}'; known: {', '.join(_FACT_KEYS)}"
            )
        need = ("key", "value", "low", "high", "unit", "source", "locator", "date", "confidence")
        _needs(where, "fact", entry, need)
        facts.append(Quantity(**entry, origin=where))
    return tuple(facts)


_TRAINING_NEEDS = ("global_batch",)
_SERVING_NEEDS = ("input_tokens", "output_tokens")


def _checked(data: dict[str, Any], where: str) -> ScenarioSpec:
    for table in ("chip", "model"):
        if table not in data:
            raise FleetError(f"{where}: missing table [{table}]")
    if "training" not in data and "serving" not in data:
        raise FleetError(f"{where}: needs a [training] or a [serving] table")

    def work(table: str, cls: type, needs: tuple[str, ...], base: str | None = None) -> Any:
        if table not in data:
            return None
        merged = {**data.get(base or "", {}), **data[table]}
        _needs(where, table, merged, needs)
        spec = cls(**merged)
        _positive(spec, where, table)
        return spec

    chip = ChipSpec(**data["chip"])
    rival_data = {"name": "weft", **data.get("rival", {})}
    if "count" not in rival_data:
        rival_data["count"] = chip.count
    rival = ChipSpec(**rival_data)
    site = SiteSpec(**data.get("site", {}))
    for name, spec in (("chip", chip), ("rival", rival), ("site", site)):
        _positive(spec, where, name)
    training = work("training", TrainingSpec, _TRAINING_NEEDS)
    serving = work("serving", ServingSpec, _SERVING_NEEDS)
    return ScenarioSpec(
        name=data.get("name", where.split(":")[0].removesuffix(".toml")),
        title=data.get("title", data.get("name", "scenario")),
        about=data.get("about", ""),
        chip=chip,
        rival=rival,
        model=_model(data["model"], where),
        training=training,
        serving=serving,
        rival_training=work("rival_training", TrainingSpec, _TRAINING_NEEDS, "training")
        or training,
        rival_serving=work("rival_serving", ServingSpec, _SERVING_NEEDS, "serving") or serving,
        site=site,
        facts=_facts(data.get("fact", []), where),
        fleet=data.get("fleet", ""),
        origin=where,
    )


def parse(text: str, name: str = "<text>") -> ScenarioSpec:
    """A scenario from TOML text."""
    return _checked(loads(text, SCHEMA, name), name)


def read(path: Path | str) -> ScenarioSpec:
    """A scenario from a file."""
    return _checked(load(path, SCHEMA), Path(path).name)


def layout_of(spec: TrainingSpec) -> Layout:
    """The layout that a training table describes."""
    names = {f.name for f in fields(Layout)}
    return Layout(**{f.name: getattr(spec, f.name) for f in fields(spec) if f.name in names})
