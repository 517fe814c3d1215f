"""`weft validate`: every model against published or measured figures, one frozen constant set."""

from weft.fleet.validate.report import as_dict, collect, render
from weft.fleet.validate.table import Case, Row, Table, evaluate

__all__ = ["Case", "Row", "Table", "as_dict", "collect", "evaluate", "render"]
