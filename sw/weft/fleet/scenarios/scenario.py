"""`Scenario`: load it, ask it, compare it. The Python door to the fleet model.

>>> from weft.fleet import Scenario
>>> result = Scenario.load("memphis").run(draws=500)
>>> result.main.kind
'training'
"""

from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from weft.fleet.constants import Constants, default_constants
from weft.fleet.errors import FleetError
from weft.fleet.scenarios.result import ScenarioResult, provenance, side_bands
from weft.fleet.scenarios.schema import parse, read
from weft.fleet.scenarios.side import Side, evaluate_side
from weft.fleet.scenarios.specs import ChipSpec, ScenarioSpec

__all__ = ["LABEL", "Scenario", "scenario_names"]

LABEL = "modelled, not measured"
DRAWS = 10_000
SEED = 1


def _library() -> Path:
    return Path(str(resources.files("weft.fleet.scenarios") / "library"))


def scenario_names() -> list[str]:
    """Names of the scenarios in the package."""
    return sorted(path.stem for path in _library().glob("*.toml"))


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario file, checked."""

    spec: ScenarioSpec

    @classmethod
    def load(cls, source: Path | str) -> "Scenario":
        """A scenario by name (`scenario_names()`) or from a TOML file."""
        text = str(source)
        if not text.endswith(".toml"):
            path = _library() / f"{text}.toml"
            if not path.exists():
                raise FleetError(
                    f"there is no scenario {text!r}; there are {', '.join(scenario_names())}, "
                    "or give the path of a .toml file"
                )
            return cls(read(path))
        return cls(read(source))

    @classmethod
    def loads(cls, text: str, name: str = "<text>") -> "Scenario":
        """A scenario from TOML text."""
        return cls(parse(text, name))

    @property
    def name(self) -> str:
        return self.spec.name

    def with_chip(self, **changes: Any) -> "Scenario":
        """The same scenario with other values in its chip table (`count=...`, `name=...`)."""
        return Scenario(replace(self.spec, chip=replace(self.spec.chip, **changes)))

    def versus(self, other: "Scenario") -> "Scenario":
        """This scenario with another one's chip, layouts and count as the rival.

        Raises
        ------
        FleetError
            if they do not run the same model, or share no kind of work.
        """
        mine, theirs = self.spec, other.spec
        if mine.model != theirs.model:
            raise FleetError(
                f"{mine.name} runs {mine.model.name} and {theirs.name} runs {theirs.model.name}; "
                "compare scenarios of the same model"
            )
        both = [
            kind
            for kind in ("training", "serving")
            if getattr(mine, kind) is not None and getattr(theirs, kind) is not None
        ]
        if not both:
            raise FleetError(f"{mine.name} and {theirs.name} share no kind of work; give both some")
        return Scenario(
            replace(
                mine,
                title=f"{mine.title} against {theirs.title}",
                rival=theirs.chip,
                rival_given=True,
                rival_training=theirs.training if "training" in both else None,
                rival_serving=theirs.serving if "serving" in both else None,
            )
        )

    def constants(self, base: Constants | None = None) -> Constants:
        """The constants with the scenario's own facts in place."""
        c = base if base is not None else default_constants()
        return c.with_quantities(self.spec.facts) if self.spec.facts else c

    def built(self, constants: Constants, *, check_limit: bool = True) -> Side:
        """The chip as built, on given (possibly sampled) constants."""
        spec = self.spec
        return evaluate_side(
            spec, spec.chip, spec.training, spec.serving, constants, check_limit=check_limit
        )

    def rival(self, constants: Constants, chip: ChipSpec | None = None) -> Side:
        """The other chip at the same work; the site limit is not applied to it."""
        spec = self.spec
        return evaluate_side(
            spec,
            chip or spec.rival,
            spec.rival_training,
            spec.rival_serving,
            constants,
            check_limit=False,
        )

    def point(self) -> Side:
        """The chip as built at the central values: one scenario, no draws."""
        return self.built(self.constants())

    def run(
        self,
        *,
        draws: int = DRAWS,
        seed: int = SEED,
        compare: bool = True,
        constants: Constants | None = None,
    ) -> ScenarioResult:
        """Bands over `draws` Monte Carlo draws; `compare` adds the rival, four views, tornado."""
        from weft.fleet.compare import compare_scenario
        from weft.fleet.scenarios.facts import check_facts

        base = self.constants(constants)
        sampled = base.sample(draws, seed)
        built = self.built(sampled)
        used = built.used
        rival = comparison = other = None
        refused = ""
        if compare:
            try:
                other = self.rival(sampled)
            except FleetError as error:
                if self.spec.rival_given:
                    raise
                refused = f"no comparison with {self.spec.rival.name}: {error}"
        if other is not None:
            comparison = compare_scenario(self, base, sampled, built, other)
            rival, used = side_bands(other), used | other.used
        checks = check_facts(self.spec.fleet, sampled) if self.spec.fleet else ()
        return ScenarioResult(
            name=self.spec.name,
            title=self.spec.title,
            about=self.spec.about,
            model=self.spec.model.name,
            label=LABEL,
            draws=draws,
            seed=seed,
            built=side_bands(built),
            rival=rival,
            refused=refused,
            comparison=comparison,
            facts=checks,
            provenance=provenance(base, frozenset(used | sampled.used)),
        )
