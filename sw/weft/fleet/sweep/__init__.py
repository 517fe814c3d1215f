"""Design-space sweeps: study files, parallel and resumable runs, Pareto fronts."""

from weft.fleet.sweep.engine import Engine, cluster_engine, local_engine
from weft.fleet.sweep.pareto import pareto_front
from weft.fleet.sweep.price import price_design
from weft.fleet.sweep.run import SweepResult, run_sweep
from weft.fleet.sweep.store import load_results
from weft.fleet.sweep.study import Study, read_study

__all__ = [
    "Engine",
    "Study",
    "SweepResult",
    "cluster_engine",
    "load_results",
    "local_engine",
    "pareto_front",
    "price_design",
    "read_study",
    "run_sweep",
]
