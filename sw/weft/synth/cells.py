"""Cells in common units: ps, fF, fJ, nW, µm², whatever the units of their file.

Internal energy. A library with power per supply pin gives one table for the power rail and one for
the ground rail. Over a rise and a
fall both integrate the same charge, so the rails are two views of one energy: this model takes
their mean. (Adding
them, as OpenSTA 2.0.17 does, counts internal energy twice.) Tables of several power pins are added.

Unit of internal energy: capacitive_load_unit x voltage_unit², Liberty reference manual,
"internal_power group".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from .errors import LibertyError
from .expression import Expression, parse_expression
from .liberty import Group

__all__ = ["Cell", "EnergyArc", "FlipFlop", "Pin", "Table", "TimingArc", "Units", "cell_from_group"]

_PREFIX = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3}
_QUANTITY = re.compile(r"\s*([\d.eE+-]*?)\s*([fpnumk]?)(s|V|A|W|f|F|ohm)\s*$", re.IGNORECASE)


def _scale(text: str) -> float:
    match = _QUANTITY.match(text)
    if not match:
        raise LibertyError(f"unit {text!r} is not understood; write it as 1ns, 1pW or 1V")
    return float(match.group(1) or 1) * _PREFIX[match.group(2).lower()]


@dataclass(frozen=True, slots=True)
class Units:
    """Factors from a file's units to ps, fF, nW and fJ."""

    time_ps: float
    load_ff: float
    leakage_nw: float
    energy_fj: float
    voltage_v: float

    @classmethod
    def of(cls, header: Group) -> Units:
        """From a library's header."""
        attributes = header.attributes
        load = header.complex.get("capacitive_load_unit", [("1", "pf")])[0]
        load_f = float(load[0]) * _PREFIX[load[1].lower().removesuffix("f")]
        volt = _scale(attributes.get("voltage_unit", "1V"))
        if "nom_voltage" not in attributes:
            raise LibertyError(f"library {header.arguments} has no nom_voltage")
        return cls(
            time_ps=_scale(attributes.get("time_unit", "1ns")) * 1e12,
            load_ff=load_f * 1e15,
            leakage_nw=_scale(attributes.get("leakage_power_unit", "1nW")) * 1e9,
            energy_fj=load_f * volt**2 * 1e15,
            voltage_v=float(attributes["nom_voltage"]) * volt,
        )


@dataclass(frozen=True, slots=True)
class Table:
    """A table over input transition (ps) and output load (fF), bilinear, extrapolated at its
    edges."""

    slews_ps: np.ndarray
    loads_ff: np.ndarray
    values: np.ndarray
    """(slews, loads)"""

    def at(self, slew_ps: float, load_ff: float) -> float:
        """The interpolated value."""
        row, row_part = _locate(self.slews_ps, slew_ps)
        column, part = _locate(self.loads_ff, load_ff)
        corner = self.values[row : row + 2, column : column + 2]
        if corner.shape[1] == 1:
            corner = np.repeat(corner, 2, axis=1)
        if corner.shape[0] == 1:
            corner = np.repeat(corner, 2, axis=0)
        low = corner[0, 0] + part * (corner[0, 1] - corner[0, 0])
        high = corner[1, 0] + part * (corner[1, 1] - corner[1, 0])
        return float(low + row_part * (high - low))


def _locate(axis: np.ndarray, value: float) -> tuple[int, float]:
    if len(axis) == 1:
        return 0, 0.0
    index = int(np.clip(np.searchsorted(axis, value) - 1, 0, len(axis) - 2))
    return index, float((value - axis[index]) / (axis[index + 1] - axis[index]))


@dataclass(frozen=True, slots=True)
class TimingArc:
    """Delay (ps) and output transition (ps) from one input pin to the output."""

    related: str
    delay: tuple[Table, Table]
    """rise, fall of the output"""
    slew: tuple[Table, Table]


@dataclass(frozen=True, slots=True)
class EnergyArc:
    """Internal energy (fJ) of a transition of the pin it belongs to: (rise, fall)."""

    related: str | None
    when: Expression | None
    energy: tuple[Table, Table]


@dataclass(slots=True)
class Pin:
    """A pin of a cell."""

    name: str
    direction: str
    capacitance_ff: float
    is_clock: bool = False
    function: Expression | None = None
    timing: list[TimingArc] = field(default_factory=list)
    energy: list[EnergyArc] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FlipFlop:
    """Its state variables, next state and the rest as functions of pins."""

    variables: tuple[str, ...]
    next_state: Expression
    clocked_on: Expression
    clear: Expression | None
    preset: Expression | None


@dataclass(slots=True)
class Cell:
    """A cell in common units."""

    name: str
    area_um2: float
    leakage_nw: float
    pins: dict[str, Pin]
    flip_flop: FlipFlop | None
    has_latch: bool
    slew_derate: float

    @property
    def outputs(self) -> list[Pin]:
        return [pin for pin in self.pins.values() if pin.direction == "output"]

    @property
    def inputs(self) -> list[Pin]:
        return [pin for pin in self.pins.values() if pin.direction == "input"]


def _numbers(texts: tuple[str, ...]) -> list[float]:
    return [float(word) for text in texts for word in text.replace(",", " ").split()]


def _table(group: Group | None, templates: dict[str, Group], units: Units, scale: float) -> Table:
    if group is None:
        return Table(np.zeros(1), np.zeros(1), np.zeros((1, 1)))
    template = templates.get(group.arguments[0]) if group.arguments else None
    axes: dict[str, np.ndarray] = {}
    order = []
    for number in (1, 2):
        variable = template.attributes.get(f"variable_{number}") if template else None
        if variable is None:
            continue
        assert template is not None
        index = group.complex.get(f"index_{number}") or template.complex.get(f"index_{number}")
        if not index:
            raise LibertyError(f"a table of template {group.arguments[0]} has no index_{number}")
        kind = "load" if "capacitance" in variable else "slew"
        factor = units.load_ff if kind == "load" else units.time_ps
        axes[kind] = np.array(_numbers(index[0])) * factor
        order.append(kind)
    if "values" not in group.complex:
        raise LibertyError(f"a {group.name} table has no values")
    values = np.array(_numbers(group.complex["values"][0])) * scale
    shape = [len(axes[kind]) for kind in order]
    if int(np.prod(shape)) != len(values):
        raise LibertyError(f"a {group.name} table has {len(values)} values for a grid of {shape}")
    grid = values.reshape(shape)
    if order == ["load", "slew"]:
        grid = grid.T
    elif order == ["load"]:
        grid = grid.reshape(1, -1)
    elif order in (["slew"], []):
        grid = grid.reshape(-1, 1)
    zero = np.zeros(1)
    return Table(axes.get("slew", zero), axes.get("load", zero), grid)


def _mean_of_rails(
    arcs: list[tuple[str | None, EnergyArc]], rails: dict[str, str]
) -> list[EnergyArc]:
    """Energy arcs of equal pin and condition joined: power rails added, the mean with ground rails
    taken."""
    joined: dict[tuple[str | None, str], dict[str, list[EnergyArc]]] = {}
    for rail, arc in arcs:
        key = (arc.related, repr(arc.when))
        kind = "ground" if "ground" in rails.get(rail or "", "") else "power"
        joined.setdefault(key, {}).setdefault(kind, []).append(arc)
    result = []
    for kinds in joined.values():
        share = 1 / len(kinds)
        members = [arc for group in kinds.values() for arc in group]
        energy = tuple(_add([arc.energy[edge] for arc in members], share) for edge in (0, 1))
        result.append(EnergyArc(members[0].related, members[0].when, energy))  # type: ignore[arg-type]
    return result


def _add(tables: list[Table], share: float) -> Table:
    # rails of one arc may be a table and a scalar: the larger grid carries the sum
    widest = max(tables, key=lambda table: table.values.size)
    total = np.zeros_like(widest.values)
    for table in tables:
        if table.values.shape == widest.values.shape or table.values.size == 1:
            total = total + share * table.values
        else:
            rows = [[table.at(s, c) for c in widest.loads_ff] for s in widest.slews_ps]
            total = total + share * np.array(rows)
    return Table(widest.slews_ps, widest.loads_ff, total)


def _pin(
    group: Group, cell: Group, templates: dict[str, Group], units: Units, derate: float
) -> Pin:
    attributes = group.attributes
    pin = Pin(
        name=group.arguments[0],
        direction=attributes.get("direction", "input"),
        capacitance_ff=float(attributes.get("capacitance", 0)) * units.load_ff,
        is_clock=attributes.get("clock", "false") == "true",
        function=parse_expression(attributes["function"]) if "function" in attributes else None,
    )
    rails = {rail.arguments[0]: rail.attributes.get("pg_type", "") for rail in cell.all("pg_pin")}
    for arc in group.all("timing"):
        if "related_pin" not in arc.attributes or not (
            arc.first("cell_rise") or arc.first("cell_fall")
        ):
            continue
        delay = tuple(
            _table(
                arc.first(f"cell_{edge}") or arc.first(f"cell_{other}"),
                templates,
                units,
                units.time_ps,
            )
            for edge, other in (("rise", "fall"), ("fall", "rise"))
        )
        slew = tuple(
            _table(
                arc.first(f"{edge}_transition") or arc.first(f"{other}_transition"),
                templates, units, units.time_ps,
            )
            for edge, other in (("rise", "fall"), ("fall", "rise"))
        )  # fmt: skip
        for related in arc.attributes["related_pin"].split():
            pin.timing.append(TimingArc(related, delay, slew))  # type: ignore[arg-type]
    arcs: list[tuple[str | None, EnergyArc]] = []
    for arc in group.all("internal_power"):
        both = arc.first("power")
        energy = tuple(
            _table(arc.first(f"{edge}_power") or both, templates, units, units.energy_fj)
            for edge in ("rise", "fall")
        )
        when = arc.attributes.get("when")
        condition = parse_expression(when) if when else None
        for related in arc.attributes.get("related_pin", "").split() or [None]:
            arcs.append(
                (arc.attributes.get("related_pg_pin"), EnergyArc(related, condition, energy))  # type: ignore[arg-type]
            )
    pin.energy = _mean_of_rails(arcs, rails)
    return pin


def _leakage(group: Group, units: Units) -> float:
    """Mean over states, nW. Powers of several rails of one state are added (ground rails read
    0)."""
    if "cell_leakage_power" in group.attributes:
        return float(group.attributes["cell_leakage_power"]) * units.leakage_nw
    states: dict[str, float] = {}
    for state in group.all("leakage_power"):
        when = state.attributes.get("when", "")
        states[when] = states.get(when, 0.0) + float(state.attributes.get("value", 0))
    if not states:
        return 0.0
    return states.get("", sum(states.values()) / len(states)) * units.leakage_nw


def cell_from_group(group: Group, header: Group) -> Cell:
    """A parsed cell in common units.

    Raises
    ------
    LibertyError
        naming the cell.
    """
    try:
        units = Units.of(header)
        templates = {
            template.arguments[0]: template
            for template in header.groups
            if template.name in ("lu_table_template", "power_lut_template")
        }
        derate = float(header.attributes.get("slew_derate_from_library", 1))
        pins = {}
        for child in group.all("pin"):
            pin = _pin(child, group, templates, units, derate)
            pins[pin.name] = pin
        flop = group.first("ff")
        return Cell(
            name=group.arguments[0],
            area_um2=float(group.attributes.get("area", 0)),
            leakage_nw=_leakage(group, units),
            pins=pins,
            flip_flop=_flip_flop(flop) if flop else None,
            has_latch=group.first("latch") is not None,
            slew_derate=derate,
        )
    except (ValueError, KeyError) as error:
        raise LibertyError(f"cell {group.arguments[0]}: {error}") from error


def _flip_flop(group: Group) -> FlipFlop:
    def tree(name: str) -> Expression | None:
        text = group.attributes.get(name)
        return parse_expression(text) if text else None

    next_state, clocked_on = tree("next_state"), tree("clocked_on")
    if next_state is None or clocked_on is None:
        raise LibertyError("a flip-flop needs next_state and clocked_on")
    return FlipFlop(group.arguments, next_state, clocked_on, tree("clear"), tree("preset"))
