"""Unit costs of our own silicon as constants: the rows ``unit.*`` of the table that synthesis
makes (``weft.synth``), from N7 (ASAP7) to N2."""

import functools

from weft.fleet.constants import Constants
from weft.fleet.quantity import Num, Quantity
from weft.synth.unit_costs import default_table

__all__ = ["COSTS_IN_USE", "NODES", "silicon_quantities", "with_process"]

NODES = {"n7": "asap7", "n5": "n5", "n4": "n4", "n3e": "n3e", "n2": "n2"}
"""Process name -> node of the unit-cost table."""

COSTS_IN_USE = (
    "mac_int8_pj",
    "mac_int8_in_float_pj",
    "mac_fp8e4m3_pj",
    "mac_bf16_pj",
    "mac_int8_um2",
    "mac_float_um2",
    "scratchpad_pj_per_byte",
    "accumulator_pj_per_byte",
    "flit_hop_pj_per_byte",
    "load_pj_per_byte",
    "clock_ghz",
)
"""What the fleet model takes; the reference node is N5 (``unit.n5.*``)."""

_LOCATOR = "data/unit_costs.csv"
_DATE = "2026-11"


@functools.cache
def silicon_quantities() -> tuple[Quantity, ...]:
    """The unit costs of every node of `NODES` as constants (key `unit.<node>.<cost>`)."""
    table = default_table()
    return tuple(
        Quantity(
            key=row.key,
            value=row.value,
            low=row.low,
            high=row.high,
            unit=row.unit,
            source=f"own synthesis: {row.source}",
            locator=_LOCATOR,
            date=_DATE,
            confidence="derived",
            # energies of one flow move together, as do areas
            group=f"silicon_{row.unit.split('/')[0].lower()}",
            origin=_LOCATOR,
        )
        for row in table.values()
        if row.key.startswith("unit.") and row.key.split(".")[1] in NODES.values()
    )


def with_process(process: str, c: Constants) -> dict[str, Num]:
    """Values for the reference node's keys that make it another process."""
    node = NODES[process]
    return {f"unit.n5.{name}": c[f"unit.{node}.{name}"] for name in COSTS_IN_USE}
