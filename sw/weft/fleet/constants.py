"""The registry of constants: every CSV file in `data/constants/`, looked up by key.

A file has exactly the columns `COLUMNS`; each row is one `Quantity`. A key is dotted and ends in
its unit (`gpu.h100_sxm.hbm_bandwidth_tb_per_s`). Model code asks `Constants` for numbers; `sample`
gives the same interface with one array entry per Monte Carlo draw.
"""

import csv
import functools
import warnings
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from weft.fleet.errors import ConstantError
from weft.fleet.quantity import Num, Quantity

__all__ = ["COLUMNS", "Constants", "OldPriceWarning", "default_constants", "load_file"]

COLUMNS = "key value low high unit source locator date confidence group note".split()
"""`group`: constants of one group move together in a Monte Carlo draw (empty: independently)."""

GROUP_CORRELATION = 0.7
"""Share of variance that members of a group have in common (a modelling choice, not a datum)."""


class OldPriceWarning(UserWarning):
    """A price is older than a year on the date it is used."""


def _number(text: str, name: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConstantError(f"{where}: {name} is {text!r}; it must be a number") from None


def load_file(path: Path) -> list[Quantity]:
    """Read one constants file; errors name the file and the line."""
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        header = reader.fieldnames or []
        if list(header) != list(COLUMNS):
            wrong = sorted(set(header) ^ set(COLUMNS)) or ["the order"]
            raise ConstantError(
                f"{path.name}:1: columns must be {','.join(COLUMNS)}; wrong: {', '.join(wrong)}"
            )
        rows = []
        for row in reader:
            where = f"{path.name}:{reader.line_num}"
            if None in row or None in row.values():
                raise ConstantError(f"{where}: needs exactly {len(COLUMNS)} fields")
            record: dict[str, Any] = dict(row)
            for name in ("value", "low", "high"):
                record[name] = _number(row[name], name, where)
            rows.append(Quantity(**record, origin=where))
    return rows


class Constants:
    """A set of constants, by key; remembers which were used (`used`) for provenance.

    `constants["gpu.h100_sxm.hbm_gb"]` is a float, or an array of draws after `sample`.
    """

    def __init__(
        self, quantities: Iterable[Quantity], values: Mapping[str, Num] | None = None
    ) -> None:
        self._quantities: dict[str, Quantity] = {}
        for quantity in quantities:
            other = self._quantities.get(quantity.key)
            if other is not None:
                raise ConstantError(
                    f"constant {quantity.key!r} is defined twice: {other.origin}, {quantity.origin}"
                )
            self._quantities[quantity.key] = quantity
        self._values: dict[str, Num] = dict(values or {})
        self.used: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._quantities

    def __iter__(self) -> Iterator[str]:
        return iter(self._quantities)

    def __len__(self) -> int:
        return len(self._quantities)

    def quantity(self, key: str) -> Quantity:
        """The full record of a constant."""
        try:
            return self._quantities[key]
        except KeyError:
            import difflib

            near = difflib.get_close_matches(key, self._quantities, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConstantError(f"there is no constant {key!r}{hint}") from None

    def __getitem__(self, key: str) -> Num:
        quantity = self.quantity(key)
        if quantity.confidence == "unconfirmed":
            raise ConstantError(
                f"constant {key!r} is unconfirmed ({quantity.source}) and cannot be used as truth; "
                "confirm it or put an assumed value with a range beside it"
            )
        self.used.add(key)
        if key in self._values:
            return self._values[key]
        return quantity.value

    def number(self, key: str) -> float:
        """The central value as a plain float, whether or not this set holds draws."""
        value = self[key]
        return float(value) if np.ndim(value) == 0 else self.quantity(key).value

    def get(self, key: str, default: Num) -> Num:
        """The value, or `default` where there is no such constant."""
        return self[key] if key in self._quantities else default

    def keys(self, prefix: str = "") -> list[str]:
        """All keys that start with `prefix`, sorted."""
        return sorted(k for k in self._quantities if k.startswith(prefix))

    def replace(self, values: Mapping[str, Num]) -> "Constants":
        """The same constants with some values overridden (their records stay)."""
        for key in values:
            self.quantity(key)
        return Constants(self._quantities.values(), {**self._values, **values})

    def with_quantities(self, quantities: Iterable[Quantity]) -> "Constants":
        """The same constants with whole records replaced or added (a scenario's own facts)."""
        merged = {**self._quantities, **{q.key: q for q in quantities}}
        return Constants(merged.values(), self._values)

    def sample(self, draws: int, seed: int, only: Iterable[str] | None = None) -> "Constants":
        """Constants whose values are arrays of `draws` draws, reproducible from `seed`.

        Every key draws from its own stream (named by the key), so that adding a constant does not
        change the draws of the others; members of a group share `GROUP_CORRELATION`. Values set
        with `replace` stay as they are.
        """
        if draws < 1:
            raise ConstantError(f"draws must be at least 1, not {draws}")

        def stream(name: str) -> np.ndarray:
            words = np.frombuffer(name.encode().ljust(4 * (len(name) // 4 + 1)), dtype=np.uint32)
            return np.random.default_rng([seed, *words.tolist()]).standard_normal(draws)

        shared: dict[str, np.ndarray] = {}
        values: dict[str, Num] = {}
        for key in only if only is not None else self._quantities:
            quantity = self.quantity(key)
            fixed = quantity.low == quantity.high or key in self._values
            if fixed or quantity.confidence == "unconfirmed":
                continue
            z = stream(key)
            if quantity.group:
                common = shared.setdefault(quantity.group, stream(f"group:{quantity.group}"))
                z = GROUP_CORRELATION**0.5 * common + (1 - GROUP_CORRELATION) ** 0.5 * z
            values[key] = quantity.draw(z)
        return Constants(self._quantities.values(), {**self._values, **values})

    def audit(self, keys: Iterable[str] | None = None) -> list[dict[str, object]]:
        """One record per constant (all, or `keys`) for printing: `weft fleet --audit`."""
        names = sorted(keys) if keys is not None else self.keys()
        return [{column: getattr(self.quantity(k), column) for column in COLUMNS} for k in names]

    def warn_old_prices(self, today: str, keys: Iterable[str] | None = None) -> list[str]:
        """Warn about prices (unit starts with USD) whose date is over a year before `today`."""
        old = []
        for key in sorted(keys) if keys is not None else self.keys():
            quantity = self.quantity(key)
            if quantity.unit.startswith("USD") and _years_between(quantity.date, today) > 1.0:
                old.append(key)
                warnings.warn(
                    f"price {key} is dated {quantity.date}, over a year before {today}",
                    OldPriceWarning,
                    stacklevel=2,
                )
        return old


def _years_between(date: str, today: str) -> float:
    """Years from the latest moment `date` (YYYY, YYYY-MM, a range of them) can mean."""

    def year(text: str, default_month: int) -> float:
        parts = [int(p) for p in text.split("-") if p.isdigit()]
        if not parts or parts[0] < 1900:
            return float("-inf")
        return parts[0] + ((parts[1] if len(parts) > 1 and parts[1] <= 12 else default_month) / 12)

    pieces = date.split("-")
    if len(pieces) == 2 and all(len(p) == 4 for p in pieces):
        date = pieces[1]
    then = year(date, 12)
    return year(today, 1) - then if np.isfinite(then) else float("inf")


@functools.cache
def default_quantities() -> tuple[Quantity, ...]:
    """Every record of every file in `data/constants`, in file order; unit costs of silicon."""
    from weft.fleet.silicon import silicon_quantities

    folder = Path(str(resources.files("weft.fleet") / "data" / "constants"))
    rows = tuple(q for path in sorted(folder.glob("*.csv")) for q in load_file(path))
    return rows + silicon_quantities()


def default_constants() -> Constants:
    """The frozen constants of the package (a fresh `used` set each time)."""
    return Constants(default_quantities())
