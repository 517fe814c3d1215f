"""Opens the device that a name stands for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from weft_hw import toml_config
from weft_hw.config import ChipConfig
from weft_hw.presets import PRESETS, preset
from weft_sim.dram import Dram
from weft_sim.target import Target

if TYPE_CHECKING:
    from .hardware_target import HardwareTarget

__all__ = ["TARGETS", "check_target", "open_target", "resolve_config"]

#: Names that ``Device`` knows.
TARGETS = ("model", "rtl")

#: Processing elements of the largest chip that the RTL target takes. Compiling 4,096 takes a minute
#: and both grow with their number: beyond this it is hours and more memory than a workstation has.
_MOST_RTL_ELEMENTS = 16_384

#: What the names of real chips begin with.
_BOARDS = ("serial:", "uio:")

_NEEDED = ("config", "memory", "read_register", "write_register", "run")


def resolve_config(config: str | Path | ChipConfig) -> ChipConfig:
    """A preset's name, the path of a TOML file or a configuration, as a configuration.

    Raises
    ------
    TypeError, ValueError
        if it is none of them.
    """
    if isinstance(config, ChipConfig):
        return config
    if isinstance(config, Path) or (isinstance(config, str) and config.endswith(".toml")):
        return toml_config.load(config)
    if not isinstance(config, str):
        raise TypeError(
            "config must be a preset's name, a ChipConfig or the path of a TOML file, "
            f"not {config!r}"
        )
    if config not in PRESETS:
        raise ValueError(
            f"config must be one of {', '.join(PRESETS)} or the path of a .toml file, "
            f"not {config!r}"
        )
    return preset(config)


def check_target(name: str, config: ChipConfig) -> None:
    """Whether a simulated target of that name can run a chip.

    Raises
    ------
    ValueError
        for an unknown name, or a chip too large to compile.
    """
    if name not in TARGETS:
        raise ValueError(f"target must be one of {', '.join(TARGETS)}, not {name!r}")
    tile = config.tile
    elements = config.mesh.tiles * tile.array_rows * tile.array_cols
    if name == "rtl" and elements > _MOST_RTL_ELEMENTS:
        raise ValueError(
            f"target rtl must have a chip of at most {_MOST_RTL_ELEMENTS:,} processing elements to "
            f"compile, not {elements:,} ({config.name}); use target model, or a smaller chip"
        )


def _open_board(name: str, config: ChipConfig | None) -> HardwareTarget:
    if name.startswith("uio:"):
        from .uio import open_uio

        return open_uio(name, config)
    from .serial import open_serial

    return open_serial(name, config)


def open_target(
    target: str | Target, config: str | Path | ChipConfig | None, dram: Dram | None
) -> tuple[Target, ChipConfig, bool]:
    """The target, the configuration it must have, and whether it was opened here.

    Raises
    ------
    TypeError, ValueError
        for an unknown target or configuration, or a chip that the target cannot have.
    """
    if not isinstance(target, str):
        if not all(hasattr(target, name) for name in _NEEDED):
            raise TypeError(f"target must be {', '.join(TARGETS)} or a Target, not {target!r}")
        if dram is not None:
            raise ValueError("dram must be left out for a target that is already open")
        return target, target.config if config is None else resolve_config(config), False
    if target.startswith(_BOARDS):
        if dram is not None:
            raise ValueError("dram must be left out for a board, which has the memory it has")
        board = _open_board(target, None if config is None else resolve_config(config))
        return cast("Target", board), board.config, True
    chosen = resolve_config("base" if config is None else config)
    check_target(target, chosen)
    memory = Dram() if dram is None else dram
    if not isinstance(memory, Dram):
        raise TypeError(f"dram must be a Dram, not {memory!r}")
    # imported here, because compiling hardware must not be the price of using the model
    if target == "model":
        from weft_sim.model import ModelTarget

        return cast("Target", ModelTarget(chosen, memory)), chosen, True
    from weft_sim.rtl import RtlTarget

    return cast("Target", RtlTarget(chosen, memory)), chosen, True
