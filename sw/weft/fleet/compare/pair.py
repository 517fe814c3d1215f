"""Two things to compare, by name: scenarios, files, or chips."""

from dataclasses import replace

from weft.fleet.errors import FleetError
from weft.fleet.machines import GPU_NAMES
from weft.fleet.scenarios.scenario import Scenario
from weft.fleet.scenarios.schema import DEFAULT_RIVAL
from weft.fleet.scenarios.specs import ChipSpec

__all__ = ["pair"]

DEFAULT = """
name = "pair"
title = "{title}"
about = "Llama-3-70B served in 8-bit on four nodes of eight chips each."
[chip]
name = "{chip}"
count = 32
[model]
name = "llama3-70b"
[serving]
input_tokens = 1024
output_tokens = 256
tensor = 4
precision = "{precision}"
"""


def _is_chip(word: str) -> bool:
    return word == "weft" or word in GPU_NAMES


def _chip(word: str, like: ChipSpec | None = None) -> ChipSpec:
    own = DEFAULT_RIVAL if word == "weft" else {}
    rack = word in ("gb200", "gb300")
    count = like.count if like else 32
    if rack and count % 72 == 0:
        return ChipSpec(name=word, count=count, node_chips=72)
    return ChipSpec(name=word, count=count, **own)


def pair(built: str, rival: str) -> Scenario:
    """A scenario in which `rival` stands against `built`.

    Either is a scenario's name, a `.toml` file, or a chip (a GPU's name, `weft`). A chip takes the
    work and the count of the scenario beside it; two chips serve Llama-3-70B.

    Raises
    ------
    FleetError
        if the two scenarios do not run the same model.
    """
    if _is_chip(built) and _is_chip(rival):
        old = "a100_sxm" in (built, rival)
        text = DEFAULT.format(
            chip=built, title=f"{built} and {rival}", precision="int8" if old else "fp8"
        )
        spec = Scenario.loads(text, "pair").spec
        mine = replace(_chip(built), count=spec.chip.count)
        return Scenario(replace(spec, chip=mine, rival=_chip(rival), rival_given=True))
    if _is_chip(built):
        spec = Scenario.load(rival).spec
        return Scenario(
            replace(
                spec,
                title=f"{built} and {spec.title}",
                chip=_chip(built, spec.chip),
                rival=spec.chip,
                rival_given=True,
                rival_training=spec.training,
                rival_serving=spec.serving,
                fleet="",
            )
        )
    scenario = Scenario.load(built)
    if _is_chip(rival):
        spec = scenario.spec
        theirs = spec.rival if rival == spec.rival.name else _chip(rival, spec.chip)
        same = theirs is spec.rival
        return Scenario(
            replace(
                spec,
                rival=theirs,
                rival_given=True,
                rival_training=spec.rival_training if same else spec.training,
                rival_serving=spec.rival_serving if same else spec.serving,
            )
        )
    other = Scenario.load(rival)
    if other.name == scenario.name:
        raise FleetError(f"{scenario.name} cannot be compared with itself; give another scenario")
    return scenario.versus(other)
