"""What a scenario file may say: one training or serving case, or a fleet that does both.

TOML, strict: an unknown key, a missing key or a wrong type is an error with file and line. Units
are in the names. `[chip]` is the chip as built, `[rival]` the chip it is compared with (default:
the Weft chip). `[rival_training]` and `[rival_serving]` hold the rival's own layout where it
differs.
`[[fact]]` overrides a constant for this scenario alone, with its source.
"""

import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from weft.fleet.errors import FleetError
from weft.fleet.models import ModelShape, model
from weft.fleet.quantity import Quantity
from weft.fleet.scenarios.specs import (
    ChipSpec,
    RankingSpec,
    ScenarioSpec,
    ServingSpec,
    SiteSpec,
    TrainingSpec,
)
from weft.fleet.strict_toml import Field, load, loads

__all__ = ["SCHEMA", "parse", "read"]


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
    "ranking": _table(RankingSpec, ("share",)),
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


def _line(text: str, table: str, key: str = "") -> int:
    """Line of a key in a table (of the table itself without a key); 1 if it is not there."""
    found, at = 1, ""
    for number, line in enumerate(text.splitlines(), 1):
        head = re.match(r"\s*\[+\s*([\w.]+)\s*\]+", line)
        if head:
            at = head.group(1)
            found = number if at == table else found
        elif key and at == table and re.match(rf"\s*{re.escape(key)}\s*=", line):
            return number
    return found


def _positive(spec: Any, at: Callable[[str, str], str], table: str) -> None:
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
            raise FleetError(f"{at(table, f.name)}: {table}.{f.name} must be positive, not {value}")
        if f.name in ("training_share", "share") and value > 1:
            raise FleetError(
                f"{at(table, f.name)}: {table}.{f.name} must be at most 1, not {value}"
            )


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


DEFAULT_RIVAL: dict[str, Any] = {"formats": ["int8", "fp8", "bf16"], "volume": 100000.0}
"""The Weft chip that stands against a scenario without a `[rival]`: priced with formats that it is
built without (its notes say so), one-off cost spread over a programme of 100,000 chips and not over
one small case."""

_TRAINING_NEEDS = ("global_batch",)
_SERVING_NEEDS = ("input_tokens", "output_tokens")


def _checked(data: dict[str, Any], text: str, where: str) -> ScenarioSpec:
    def at(table: str, key: str = "") -> str:
        return f"{where}:{_line(text, table, key)}"

    for table in ("chip", "model"):
        if table not in data:
            raise FleetError(f"{where}:1: missing table [{table}]")
    if "training" not in data and "serving" not in data:
        raise FleetError(f"{where}:1: needs a [training] or a [serving] table")

    def work(table: str, cls: type, needs: tuple[str, ...], base: str | None = None) -> Any:
        if table not in data:
            return None
        merged = {**data.get(base or "", {}), **data[table]}
        _needs(at(table), table, merged, needs)
        spec = cls(**merged)
        _positive(spec, at, table)
        return spec

    chip = ChipSpec(**data["chip"])
    rival_data = {"name": "weft", **data.get("rival", DEFAULT_RIVAL)}
    if "count" not in rival_data:
        rival_data["count"] = chip.count
    rival = ChipSpec(**rival_data)
    site = SiteSpec(**data.get("site", {}))
    for name, spec in (("chip", chip), ("rival", rival), ("site", site)):
        _positive(spec, at, name)
    training = work("training", TrainingSpec, _TRAINING_NEEDS)
    serving = work("serving", ServingSpec, _SERVING_NEEDS)
    return ScenarioSpec(
        name=data.get("name", where.split(":")[0].removesuffix(".toml")),
        title=data.get("title", data.get("name", "scenario")),
        about=data.get("about", ""),
        chip=chip,
        rival=rival,
        model=_model(data["model"], at("model")),
        training=training,
        serving=serving,
        rival_training=work("rival_training", TrainingSpec, _TRAINING_NEEDS, "training")
        or training,
        rival_serving=work("rival_serving", ServingSpec, _SERVING_NEEDS, "serving") or serving,
        site=site,
        ranking=work("ranking", RankingSpec, ("share",)),
        rival_given="rival" in data,
        facts=_facts(data.get("fact", []), at("fact")),
        fleet=data.get("fleet", ""),
        origin=where,
    )


def parse(text: str, name: str = "<text>") -> ScenarioSpec:
    """A scenario from TOML text."""
    return _checked(loads(text, SCHEMA, name), text, name)


def read(path: Path | str) -> ScenarioSpec:
    """A scenario from a file."""
    data = load(path, SCHEMA)
    return _checked(data, Path(path).read_text(encoding="utf-8"), Path(path).name)
