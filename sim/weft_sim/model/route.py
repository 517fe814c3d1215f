"""What the ways of packets have in common, whatever the network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol

__all__ = ["Route", "Sender"]


class Sender(Protocol):
    """The link from a node into its router: ``free`` is the first cycle in which it takes a flit,
    unless it is ``held``: then that is not known yet, and ``waiters`` are called when it is.
    """

    free: int
    held: bool
    waiters: list[Callable[[], None]]


class Route(ABC):
    """The links from one node to another, the sender's own first."""

    __slots__ = ()

    #: Senders look whether the receiver takes more before they send; otherwise the network itself
    #: makes packets wait.
    gated: ClassVar[bool] = False

    @property
    @abstractmethod
    def links(self) -> Sequence[Sender]:
        """In order."""

    @abstractmethod
    def send(
        self,
        cycle: int,
        flits: int,
        deliver: Callable[[int], None],
        begun: tuple[int, Callable[[int], None]] | None = None,
        waits: Sequence[tuple[int, int]] = (),
    ) -> None:
        """Sends a packet from ``cycle`` on, in which the sender's link must be free.

        ``deliver(head)`` is called as soon as it is known that its first flit arrives in cycle
        ``head`` and the others (the header's, if the receiver may make it wait) without a pause
        behind it. ``begun`` is (flits, call): ``call`` is given the cycle in which so many of its
        flits have left the sender. ``waits``: (flit, cycle) of flits that come late.
        """

    @abstractmethod
    def sent(self, flit: int, flits: int) -> int:
        """The cycle in which a flit of the last packet, of ``flits``, has left the sender, whose
        link must be free again.
        """

    @abstractmethod
    def watch(self, flit: int, call: Callable[[int], None]) -> None:
        """``call`` is given the cycle in which a flit of the last packet leaves the sender, whose
        link is held; its ``begun`` has been called.
        """

    @abstractmethod
    def take_header(self, cycle: int) -> None:
        """The receiver takes the last flit of the header delivered in ``cycle``."""

    @abstractmethod
    def take_data(self, flits: int, cycle: int) -> None:
        """The receiver takes the first ``flits`` data flits of the packet whose header it has
        taken, the last of them in ``cycle``.
        """

    @property
    def sender(self) -> Sender:
        """The sender's own link."""
        return self.links[0]

    @property
    def routers(self) -> int:
        """Routers on the way."""
        return len(self.links) - 1
