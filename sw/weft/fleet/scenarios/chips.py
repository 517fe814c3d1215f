"""From a chip table to a machine: GPUs by name, Weft chips by design.

A Weft design starts from a preset of the hardware. Static power and the board's limit follow the
size of the design: `design.weft.array_share` of them with the multiply-accumulators, the rest with
the memory stacks.
"""

from dataclasses import replace

from weft_hw.config import ChipConfig
from weft_hw.presets import preset

from weft.fleet.constants import Constants
from weft.fleet.errors import FleetError, InfeasibleError
from weft.fleet.machines import Machine, gpu
from weft.fleet.quantity import Num
from weft.fleet.scenarios.specs import ChipSpec
from weft.fleet.silicon import NODES, with_process
from weft.fleet.weft_chip import weft_chip

__all__ = ["PROCESSES", "build", "design", "size_ratios"]

PROCESSES = tuple(NODES)


def design(spec: ChipSpec) -> ChipConfig:
    """The hardware configuration that a Weft chip table describes.

    Raises
    ------
    FleetError
        if the hardware cannot be built so (the configuration's own message).
    """
    base = preset(spec.preset)
    tile, mesh = base.tile, base.mesh
    try:
        if spec.array is not None:
            tile = replace(tile, array_rows=spec.array, array_cols=spec.array)
        if spec.scratchpad_kib is not None:
            tile = replace(tile, scratchpad_kib=spec.scratchpad_kib)
        changes = {
            name: value
            for name, value in (
                ("cols", spec.tile_cols),
                ("rows", spec.tile_rows),
                ("memory_endpoints", spec.memory_endpoints),
            )
            if value is not None
        }
        if changes:
            mesh = replace(
                mesh,
                **{
                    "memory_endpoints": min(mesh.memory_endpoints, changes.get("rows", mesh.rows)),
                    **changes,
                },
            )
        return replace(base, tile=tile, mesh=mesh)
    except ValueError as error:
        raise FleetError(f"no Weft chip of this design: {error}") from None


def size_ratios(spec: ChipSpec, c: Constants) -> tuple[float, Num]:
    """(multiply-accumulators, memory stacks) of a design over those of its preset."""
    base = preset(spec.preset).peak_macs_per_cycle
    stacks = c["weft.fleet.hbm_stacks"]
    ratio = spec.hbm_stacks / stacks if spec.hbm_stacks is not None else 1.0
    return design(spec).peak_macs_per_cycle / base, ratio


def _weft_constants(spec: ChipSpec, c: Constants) -> Constants:
    """Constants with the design's own numbers in place of the preset's."""
    if spec.process not in PROCESSES:
        raise FleetError(f"process must be one of {', '.join(PROCESSES)}, not {spec.process!r}")
    macs, stacks = size_ratios(spec, c)
    share = c["design.weft.array_share"]
    size = share * macs + (1.0 - share) * stacks
    values: dict[str, Num] = {
        "weft.fleet.static_power_w": c["weft.fleet.static_power_w"] * size,
        "weft.fleet.board_power_max_w": c["weft.fleet.board_power_max_w"] * size,
    }
    given = {
        "weft.fleet.hbm_stacks": spec.hbm_stacks,
        "weft.fleet.scaleup_gb_per_s": spec.scaleup_gb_per_s,
        "weft.fleet.scaleout_gb_per_s": spec.scaleout_gb_per_s,
        "weft.fleet.board_power_max_w": spec.board_power_max_w,
    }
    values.update({key: float(v) for key, v in given.items() if v is not None})
    if spec.process != "n5":
        values.update(with_process(spec.process, c))
    done = c.replace(values)
    done.used = c.used
    return done


def build(spec: ChipSpec, c: Constants) -> tuple[Machine, Constants]:
    """The machine of a chip table, and the constants that hold for it."""
    if spec.name == "weft":
        own = _weft_constants(spec, c)
        formats = tuple(spec.formats) if spec.formats else None
        machine = weft_chip(design(spec), own, formats=formats)
    else:
        fixed = ("array", "tile_cols", "tile_rows", "memory_endpoints", "scratchpad_kib", "formats")
        wrong = [name for name in fixed if getattr(spec, name) is not None]
        if wrong:
            raise FleetError(
                f"{wrong[0]} describes a Weft chip and {spec.name} is a GPU; leave it out"
            )
        machine, own = gpu(spec.name, c), c
    if spec.count % spec.node_chips and spec.count > spec.node_chips:
        near = max(1, round(spec.count / spec.node_chips)) * spec.node_chips
        raise InfeasibleError(
            f"count = {spec.count} must be whole nodes of {spec.node_chips} chips",
            f"count = {near}",
        )
    return machine, own
