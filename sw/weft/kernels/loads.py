"""What kernels need of the load engine beyond rows at a fixed distance."""

from __future__ import annotations

from weft_hw.config import ChipConfig

__all__ = ["require_tensor_loads"]


def require_tensor_loads(config: ChipConfig, what: str) -> None:
    """Raises ``ValueError`` unless the chip has the loops and gathers that ``what`` needs."""
    if not config.tile.tensor_loads:
        raise ValueError(
            f"{config.name} must be built with tensor_loads for {what}; "
            "use a preset that has it, or a TOML file with tensor_loads = true"
        )
