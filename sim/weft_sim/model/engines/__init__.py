"""The four engines of a tile, and the front end before each."""

from .base import Engine
from .frontend import FrontEnd
from .load import LoadEngine
from .load_writes import LoadWrites
from .matmul import MatmulEngine
from .store import StoreEngine
from .vector import VectorEngine

__all__ = [
    "Engine",
    "FrontEnd",
    "LoadEngine",
    "LoadWrites",
    "MatmulEngine",
    "StoreEngine",
    "VectorEngine",
]
