"""Area of a Weft die from its `ChipConfig`: processing elements from our own synthesis.

`arrays x area per MAC + SRAM x area per KiB`, times an overhead of the tile, plus memory PHYs,
links and fixed blocks (`unit.n5.*`, `area.n5.*`).
"""

from dataclasses import dataclass

import numpy as np
from weft_hw.config import ChipConfig
from weft_hw.presets import preset

from weft.fleet.constants import Constants, default_constants
from weft.fleet.errors import InfeasibleError
from weft.fleet.quantity import Num

__all__ = ["DieArea", "weft_die_area"]


@dataclass(frozen=True, slots=True)
class DieArea:
    """Square millimetres by part."""

    macs_mm2: Num
    sram_mm2: Num
    tile_overhead_mm2: Num
    memory_phy_mm2: Num
    links_mm2: Num
    fixed_mm2: Num

    @property
    def total_mm2(self) -> Num:
        return (
            self.macs_mm2
            + self.sram_mm2
            + self.tile_overhead_mm2
            + self.memory_phy_mm2
            + self.links_mm2
            + self.fixed_mm2
        )


def weft_die_area(
    config: ChipConfig | str = "fleet", constants: Constants | None = None
) -> DieArea:
    """Area of the die at N5.

    Raises
    ------
    InfeasibleError
        if the median area exceeds one exposure field; names the tiles that fit.
    """
    chip = preset(config) if isinstance(config, str) else config
    c = constants if constants is not None else default_constants()
    tile, tiles = chip.tile, chip.mesh.tiles
    wide = tile.has_float
    mac = c["unit.n5.mac_float_um2" if wide else "unit.n5.mac_int8_um2"]
    macs = tiles * tile.array_rows * tile.array_cols * mac * 1e-6
    kib = tiles * (tile.scratchpad_kib + tile.accumulator_kib)
    sram = kib * c["area.n5.sram_mm2_per_kib"]
    overhead = (macs + sram) * (c["area.n5.tile_overhead_factor"] - 1.0)
    phy = c["weft.fleet.hbm_stacks"] * c["area.n5.hbm_phy_mm2"]
    rate = c["weft.fleet.scaleup_gb_per_s"] + c["weft.fleet.scaleout_gb_per_s"]
    links = rate / 100.0 * c["area.n5.serdes_mm2_per_100_gb_s"]
    area = DieArea(macs, sram, overhead, phy, links, c["area.n5.fixed_mm2"])
    whole = float(np.median(area.total_mm2))
    reticle = c.number("area.any.reticle_mm2")
    if whole > reticle:
        core = float(np.median(macs + sram + overhead))
        fit = max(1, int(tiles * (1.0 - (whole - reticle) / core)))
        raise InfeasibleError(
            f"the die of {chip.name} would take {whole:.0f} mm2 and one exposure field is "
            f"{reticle:.0f} mm2",
            f"{fit} tiles instead of {tiles}",
        )
    return area
