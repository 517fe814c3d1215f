"""A study: a scenario and the knobs of the Weft chip to turn.

```toml
scenario = "prometheus"     # name or .toml file, relative to the study
draws = 500
[knobs]
array = [64, 128]
scratchpad_kib = [2048, 4096]
hbm_stacks = [4, 6, 8]
process = ["n5", "n3e"]
scaleup_gb_per_s = [400, 800]
```

Every combination is one design. An unknown key is an error with file and line.
"""

import hashlib
import itertools
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from weft.fleet.errors import FleetError
from weft.fleet.scenarios.scenario import Scenario
from weft.fleet.scenarios.specs import ChipSpec
from weft.fleet.strict_toml import Field, load

__all__ = ["KNOBS", "Study", "read_study"]

KNOBS = (
    "array",
    "tile_cols",
    "tile_rows",
    "memory_endpoints",
    "scratchpad_kib",
    "hbm_stacks",
    "process",
    "scaleup_gb_per_s",
    "scaleout_gb_per_s",
    "count",
)
"""Columns of the chip table that a study may turn."""

_LIST: Field = ((list,), False)
SCHEMA: dict[str, Any] = {
    "scenario": ((str,), True),
    "draws": ((int,), False),
    "seed": ((int,), False),
    "knobs": dict.fromkeys(KNOBS, _LIST),
}


@dataclass(frozen=True, slots=True)
class Study:
    """A checked study."""

    name: str
    scenario: Scenario
    knobs: dict[str, tuple[Any, ...]]
    draws: int = 200
    seed: int = 1

    def __post_init__(self) -> None:
        if not self.knobs:
            raise FleetError(f"study {self.name} turns no knob; give one of {', '.join(KNOBS)}")
        if self.draws < 1:
            raise FleetError(f"study {self.name}: draws must be at least 1, not {self.draws}")
        kinds = {f.name: str(f.type) for f in fields(ChipSpec)}
        for name, values in self.knobs.items():
            if not values:
                raise FleetError(f"study {self.name}: knob {name} has no values")
            if len(set(values)) != len(values):
                raise FleetError(f"study {self.name}: knob {name} names a value twice")
            for value in values:
                word = isinstance(value, str)
                if isinstance(value, bool) or word != (kinds[name] == "<class 'str'>"):
                    raise FleetError(f"study {self.name}: knob {name} cannot be {value!r}")
                if not word and value <= 0:
                    raise FleetError(
                        f"study {self.name}: knob {name} must be positive, not {value}"
                    )

    def designs(self) -> list[dict[str, Any]]:
        """Every combination, last knob fastest."""
        names = list(self.knobs)
        return [
            dict(zip(names, values, strict=True))
            for values in itertools.product(*self.knobs.values())
        ]

    @property
    def fingerprint(self) -> str:
        """Changes with anything that would change a design's numbers, not with the knobs."""
        text = json.dumps([repr(self.scenario.spec), self.draws, self.seed], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_study(path: Path | str) -> Study:
    """A study from a TOML file."""
    path = Path(path)
    data = load(path, SCHEMA)
    source = data["scenario"]
    if source.endswith(".toml"):
        source = path.parent / source
    return Study(
        name=path.stem,
        scenario=Scenario.load(source),
        knobs={name: tuple(values) for name, values in data.get("knobs", {}).items()},
        draws=data.get("draws", 200),
        seed=data.get("seed", 1),
    )
