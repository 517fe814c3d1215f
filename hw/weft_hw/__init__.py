"""Weft's hardware: configuration, instruction set and RTL.

The folder tree is the block diagram: ``chip.py`` holds a mesh (``noc/``) of tiles (``tile/``) with
memory endpoints (``endpoint/``) and a control node (``control/``) on its edge; a tile holds a
systolic array (``array/``), memories (``memory/``), DMA engines (``dma/``) and a vector engine
(``vector/``).
"""

import warnings

# wrong: the attribute it names is the metaclass's, and `view.format` gives the field
warnings.filterwarnings("ignore", message="Layout of a view includes a field 'format'")
