"""Published ratios of other ASICs over GPUs, beside ours: a check of plausibility, not a proof.

Other chips, other work, other years; vendors choose what they publish.
"""

from dataclasses import dataclass
from functools import cache
from importlib import resources

from weft.fleet.bands import Band
from weft.fleet.compare.views import View
from weft.fleet.csv_rows import read_rows

__all__ = ["Claim", "ClaimCheck", "check_claims", "claims"]

QUANTITIES = ("tokens_per_s", "tokens_per_joule", "usd_per_million_tokens")
BETTER_IS_LESS = "usd_per_million_tokens"


@dataclass(frozen=True, slots=True)
class Claim:
    """One published ratio, ASIC over GPU."""

    subject: str
    quantity: str
    low: float
    high: float
    work: str
    source: str
    locator: str
    date: str
    kind: str
    note: str


@dataclass(frozen=True, slots=True)
class ClaimCheck:
    """Our ratio beside a published one."""

    claim: Claim
    work: str
    ours: Band
    verdict: str
    """`overlaps`, `less favourable` or `more favourable` than the claim."""


@cache
def claims() -> tuple[Claim, ...]:
    """Every published ratio of the package."""
    text = (resources.files("weft.fleet.compare") / "claims.csv").read_text(encoding="utf-8")
    return tuple(read_rows(Claim, text, "claims.csv"))


def _verdict(claim: Claim, ours: Band) -> str:
    if ours.p5 <= claim.high and ours.p95 >= claim.low:
        return "overlaps"
    above = ours.p5 > claim.high
    good = above != (claim.quantity == BETTER_IS_LESS)
    return "more favourable" if good else "less favourable"


def check_claims(rows: tuple[View, ...]) -> tuple[ClaimCheck, ...]:
    """Every claim beside the same ratio of each workload, as shipped."""
    shipped = [row for row in rows if row.view == "as shipped"]
    return tuple(
        ClaimCheck(
            claim,
            row.work,
            getattr(row, claim.quantity),
            _verdict(claim, getattr(row, claim.quantity)),
        )
        for claim in claims()
        for row in shipped
    )
