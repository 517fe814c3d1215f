"""Operator costs: counts (operations, bytes) turned into time on one machine, GPU or Weft alike."""

from weft.fleet.operators.collectives import all_gather, all_reduce, all_to_all, point_to_point
from weft.fleet.operators.cost import OpCost, total
from weft.fleet.operators.elementwise import attention, elementwise, embedding, vector_op
from weft.fleet.operators.gemm import gemm

__all__ = [
    "OpCost",
    "all_gather",
    "all_reduce",
    "all_to_all",
    "attention",
    "elementwise",
    "embedding",
    "gemm",
    "point_to_point",
    "total",
    "vector_op",
]
