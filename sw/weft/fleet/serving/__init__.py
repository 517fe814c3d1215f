"""Serving: prefill and decode with continuous batching, queues with objectives, recommendation."""

from weft.fleet.serving.memory import ServingMemory, serving_memory
from weft.fleet.serving.recommend import (
    RecommendResult,
    RecommendShape,
    dlrm_dcnv2,
    recommend,
)
from weft.fleet.serving.request import ServingPlan, Slo, Speculation, Traffic
from weft.fleet.serving.serve import ServingResult, max_load, plan_for, serve

__all__ = [
    "RecommendResult",
    "RecommendShape",
    "ServingMemory",
    "ServingPlan",
    "ServingResult",
    "Slo",
    "Speculation",
    "Traffic",
    "dlrm_dcnv2",
    "max_load",
    "plan_for",
    "recommend",
    "serve",
    "serving_memory",
]
