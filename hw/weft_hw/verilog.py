"""From components to Verilog text: one module for each distinct shared component.

``to_verilog(component, name)`` returns the text and the names of the shared modules, so that a simulator can be told to
keep them as modules (that is what makes big arrays and meshes compile fast).
"""

import os
from dataclasses import dataclass

from amaranth.back import rtlil, verilog

from .shared import ShareLibrary

__all__ = ["Verilog", "to_verilog"]


@dataclass(frozen=True, slots=True)
class Verilog:
    """Generated Verilog. ``shared`` lists the modules that are emitted once and instantiated often."""

    top: str
    text: str
    shared: tuple[str, ...]


def to_verilog(component, name: str) -> Verilog:
    """Converts ``component`` to Verilog with the top module ``name``. Internal attributes and source paths are left out, so
    equal hardware gives equal text."""
    os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")
    library = ShareLibrary()
    top = rtlil.convert(component, name=name, platform=library, emit_src=False)
    text = "\n".join([*library.modules.values(), top])
    return Verilog(top=name, text=verilog._convert_rtlil_text(text, strip_internal_attrs=True),
                   shared=tuple(library.modules))
