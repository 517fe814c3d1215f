"""Errors of the fleet model: every refusal names what, why, and the nearest thing that works."""

__all__ = ["ConstantError", "FleetError", "InfeasibleError"]


class FleetError(ValueError):
    """A scenario, a constant or a request the model refuses; the message is one sentence."""


class ConstantError(FleetError):
    """A constant lacks a field, contradicts a rule, or may not be used as truth."""


class InfeasibleError(FleetError):
    """A layout, load or limit that cannot exist.

    Parameters
    ----------
    reason : str
        What is wrong and why, with the numbers.
    nearest : str
        The nearest feasible value, in the words of the input ("tensor_parallel = 8").
    """

    def __init__(self, reason: str, nearest: str) -> None:
        super().__init__(f"{reason}; nearest feasible: {nearest}")
        self.reason = reason
        self.nearest = nearest
