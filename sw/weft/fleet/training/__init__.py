"""Training: layouts, memory fit, step time, goodput and layout search, for GPUs and Weft alike."""

from weft.fleet.training.goodput import Goodput, TrainingRun, goodput, training_run
from weft.fleet.training.layout import Layout, check_layout
from weft.fleet.training.memory import MemoryUse, check_memory, memory_use
from weft.fleet.training.search import SearchResult, search_layout
from weft.fleet.training.step import StepResult, train_step

__all__ = [
    "Goodput",
    "Layout",
    "MemoryUse",
    "SearchResult",
    "StepResult",
    "TrainingRun",
    "check_layout",
    "check_memory",
    "goodput",
    "memory_use",
    "search_layout",
    "train_step",
    "training_run",
]
