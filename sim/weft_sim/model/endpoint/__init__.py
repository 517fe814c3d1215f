"""Memory endpoints: READ and WRITE packets to accesses of a memory port, and the responses."""

from .node import Endpoint

__all__ = ["Endpoint"]
