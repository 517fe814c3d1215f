"""The unit costs that other models use, ``unit.<node>.*``: made from the measured and published
rows of the table, on the nodes measured in full and from N5 to N2 along the ladder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from pathlib import Path

from .chip_power import HOT_LEAKAGE, REAL_DATA
from .library_rows import memory_rows
from .node_costs import Cost, NodeCosts, add_costs
from .unit_costs import UnitCost, read_table

__all__ = ["UNIT_NODES", "merged_rows", "published_rows", "unit_rows", "whole_table"]

#: Nodes that get unit costs.
UNIT_NODES = ("nangate45", "asap7", "n5", "n4", "n3e", "n2")
#: A command's size, and the operations of a lane of the processor that were measured.
_COMMAND_BYTES = 64
_ALU_OPERATIONS = ("maximum", "add", "multiply", "to_int", "to_float")
#: Flit of the router and the endpoint that were measured, bytes; flits a cycle through it.
_FLIT_BYTES, _PORTS = 16, 4
#: Blocks that the clock of every chip with floating point depends on.
_CLOCKED = ("pe_float", "lane", "alu", "adder", "router", "load", "store")


def published_rows() -> list[UnitCost]:
    """Published costs kept with the project."""
    path = Path(str(files("weft") / "data" / "published_costs.csv"))
    return list(read_table(path).values())


def _beyond(total: Cost, clock: float) -> Cost:
    """What an operation takes beyond the clock that runs anyway."""
    return total.times(max(total.value - clock, 0.0) / total.value)


def unit_rows(table: Mapping[str, UnitCost]) -> list[UnitCost]:
    """Unit costs on every node that the table has enough for; a cost whose block was not measured
    is left out."""
    rows = []
    for node in UNIT_NODES:
        costs = NodeCosts(table, node)
        for name, unit, why, cost in _unit_costs(costs):
            try:
                found = cost()
            except ValueError:
                continue
            rows.append(
                UnitCost(f"unit.{node}.{name}", found.value, found.low, found.high, unit,
                         "modelled", why)
            )  # fmt: skip
    return rows


def whole_table(
    measured: Iterable[UnitCost], pdk: Path | None, before: Mapping[str, UnitCost] | None = None
) -> list[UnitCost]:
    """Measured rows with those of memories, publications and unit costs. Unit costs whose rows are
    those of the table ``before`` stay as they are there: its rows are rounded."""
    rows = [*measured, *(memory_rows(pdk) if pdk else ()), *published_rows()]
    made = unit_rows({row.key: row for row in rows})
    if not before:
        return [*rows, *made]
    same = {row.key for row in set(made) & set(unit_rows(before))}
    return [*rows, *(before.get(row.key, row) if row.key in same else row for row in made)]


def merged_rows(table: Mapping[str, UnitCost], measured: Iterable[UnitCost]) -> list[UnitCost]:
    """Measured rows of a table, with blocks that were measured again in the place of their old
    rows; blocks that it does not have come last. For ``whole_table``."""
    again: dict[str, list[UnitCost]] = {}
    for row in measured:
        again.setdefault(_block(row.key), []).append(row)
    rows: list[UnitCost] = []
    for key, row in table.items():
        if not key.startswith("synth.") or row.kind != "measured":
            continue
        block = _block(key)
        if block not in again:
            rows.append(row)
        elif again[block]:
            rows += again[block]
            again[block] = []
    return [*rows, *(row for left in again.values() for row in left)]


def _block(key: str) -> str:
    """``synth.<node>.<block>`` of a row."""
    return ".".join(key.split(".")[:3])


def _unit_costs(costs: NodeCosts) -> list[tuple[str, str, str, Callable[[], Cost]]]:
    fj = 1e-3

    def energy(block: str, case: str) -> Callable[[], Cost]:
        return lambda: costs.cost(block, f"energy_fj.{case}").times(fj)

    def area(block: str) -> Callable[[], Cost]:
        return lambda: costs.cost(block, "area_um2")

    def router() -> Cost:
        idle = costs.cost("router", "energy_fj.idle").value / _PORTS
        return _beyond(costs.cost("router", "energy_fj.random"), idle).times(fj / _FLIT_BYTES)

    def link() -> Cost:
        return costs.wire_fj_per_bit_mm().times(8 * fj)

    def moved(block: str, unit: str = "byte", count: int = 1) -> Callable[[], Cost]:
        """A ``count``-th part of what the block does, beyond its idle clock."""

        def cost() -> Cost:
            clock = costs.cost(block, "energy_fj.idle").value
            rate = costs.cost(block, f"{unit}s_per_cycle.digits").value
            each = costs.cost(block, "energy_fj.digits").times(1 / count)
            return _beyond(each, clock / rate / count).times(fj)

        return cost

    def command() -> Cost:
        return add_costs([moved("load")(), router(), link()]).times(_COMMAND_BYTES)

    def leakage() -> Cost:
        density = costs.cost("pe_float", "leakage_nw").times(
            1 / costs.cost("pe_float", "area_um2").value
        )
        # nW/um2 is 1e-3 W/mm2; a hot die leaks more
        return Cost(density.value, density.low, density.high * HOT_LEAKAGE).times(1e-3)

    def clock_power() -> Cost:
        zeros = costs.cost("pe_float", "energy_fj.bf16_zeros_held")
        # fJ/um2 at 1 GHz is 1 W/mm2
        return zeros.times(1 / costs.cost("pe_float", "area_um2").value)

    def clock() -> Cost:
        found = [costs.cost(block, "frequency_ghz") for block in _CLOCKED]
        return min(found, key=lambda cost: cost.value)

    found: list[tuple[str, str, str, Callable[[], Cost]]] = [
        ("mac_int8_pj", "pJ", "int8 PE, digits, weights held", energy("pe", REAL_DATA["int8"])),
        ("mac_int4_pj", "pJ", "int4 on the int8 PE", energy("pe", REAL_DATA["int4"])),
    ]
    for name, case in REAL_DATA.items():
        key = f"mac_{name}_pj" if name not in ("int8", "int4") else f"mac_{name}_in_float_pj"
        found.append((key, "pJ", f"PE of every format: {case}", energy("pe_float", case)))
    found += [
        ("mac_int8_um2", "um2", "int8 PE, placed", area("pe")),
        ("mac_float_um2", "um2", "PE of every format, placed", area("pe_float")),
        ("vector_requantise_pj", "pJ", "an element through a requantiser lane",
         energy("lane", "digits")),
        *((f"vector_{name}_pj", "pJ", "an operation of a processor lane, without its registers",
           energy("alu", name)) for name in _ALU_OPERATIONS),
        ("scratchpad_pj_per_byte", "pJ/byte", "published 7 nm SRAM along the ladder",
         costs.sram_pj_per_byte),
        ("accumulator_pj_per_byte", "pJ/byte", "published 7 nm SRAM along the ladder",
         costs.sram_pj_per_byte),
        ("sram_um2_per_bit", "um2/bit", "without check bits",
         lambda: costs.cost("sram", "area_um2_per_bit")),
        ("router_pj_per_byte", "pJ/byte", "random flits, beyond the idle clock", router),
        ("link_pj_per_byte_mm", "pJ/byte/mm", "wire and repeaters, random bits", link),
        ("flit_hop_pj_per_byte", "pJ/byte", "router and 1 mm of link",
         lambda: add_costs([router(), link()])),
        ("load_pj_per_byte", "pJ/byte", "load engine, beyond its idle clock", moved("load")),
        ("store_pj_per_byte", "pJ/byte", "store engine, beyond its idle clock", moved("store")),
        ("endpoint_pj_per_byte", "pJ/byte", "memory endpoint, reads and writes, beyond its idle "
         "clock, without its memories", moved("endpoint", "flit", _FLIT_BYTES)),
        ("control_command_pj", "pJ", "control node, a command from ring to completion, beyond its "
         "idle clock, without its memories", moved("control", "command")),
        ("command_pj", "pJ", "64 bytes as the load engine and a hop move them", command),
        ("idle_leakage_w_per_mm2", "W/mm2", "at 25 C; high: hot die", leakage),
        ("idle_clock_w_per_mm2_ghz", "W/mm2/GHz", "clock pins and tree, nothing gated",
         clock_power),
        ("clock_ghz", "GHz", f"slowest of {', '.join(_CLOCKED)}, 25 % margin", clock),
    ]  # fmt: skip
    return found
