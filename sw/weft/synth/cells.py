"""Cells in common units: ps, fF, fJ, nW, µm², whatever the units of their file.

Internal energy. A library with power per supply pin gives one table for the power rail and one
for the ground rail. Over a rise and a fall both integrate the same charge, so the rails are two
views of one energy: this model takes their mean. Tables of several power pins are added.

OpenSTA 2.0.17 differs. It adds the rails, and it charges the energies of a rise and of a fall to
each single transition: an inverter with 3 fJ for a rise and 1 fJ for a fall at 0.1 transitions
per cycle of 1 ns reads 0.4 µW instead of 0.2. Its internal power is twice too high, with two
rails four times; its switching power agrees. Without operating conditions that it understands it
reports zero.

Unit of internal energy: capacitive_load_unit x voltage_unit², Liberty reference manual,
"internal_power group".
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .errors import LibertyError
from .expression import Expression, parse_expression
from .liberty import Group
from .tables import Table, Units

__all__ = ["Cell", "EnergyArc", "FlipFlop", "Pin", "TimingArc", "cell_from_group"]


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
        rise, fall = (_add([arc.energy[edge] for arc in members], share) for edge in (0, 1))
        result.append(EnergyArc(members[0].related, members[0].when, (rise, fall)))
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
        rise_delay, fall_delay = (
            _table(
                arc.first(f"cell_{edge}") or arc.first(f"cell_{other}"),
                templates,
                units,
                units.time_ps,
            )
            for edge, other in (("rise", "fall"), ("fall", "rise"))
        )
        rise_slew, fall_slew = (
            _table(
                arc.first(f"{edge}_transition") or arc.first(f"{other}_transition"),
                templates, units, units.time_ps,
            )
            for edge, other in (("rise", "fall"), ("fall", "rise"))
        )  # fmt: skip
        for related in arc.attributes["related_pin"].split():
            pin.timing.append(TimingArc(related, (rise_delay, fall_delay), (rise_slew, fall_slew)))
    arcs: list[tuple[str | None, EnergyArc]] = []
    for arc in group.all("internal_power"):
        both = arc.first("power")
        rise, fall = (
            _table(arc.first(f"{edge}_power") or both, templates, units, units.energy_fj)
            for edge in ("rise", "fall")
        )
        when = arc.attributes.get("when")
        condition = parse_expression(when) if when else None
        relateds: list[str | None] = [*arc.attributes.get("related_pin", "").split()]
        rail = arc.attributes.get("related_pg_pin")
        for cause in relateds or [None]:
            arcs.append((rail, EnergyArc(cause, condition, (rise, fall))))
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
