"""A scenario's answer as one self-contained interactive page that works offline."""

from weft.fleet.report.build import build_report, write_report

__all__ = ["build_report", "write_report"]
