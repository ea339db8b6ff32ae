"""Telling a jump of the clock from a stray stamp.

A player that loops, a bag that is replayed or a clock that is set makes all stamps jump. One input
with a strange stamp is held as a *suspect*; the next input of the same stream decides: where it
agrees with the suspect the jump is real, otherwise the suspect was a stray and is dropped.

A jump *forward* is measured against the newest stamp of all streams, because a stream that comes
back after a pause in which others went on has not jumped. A jump *backward* is measured against the
stream's own newest stamp, because a stream that merely lags behind has not jumped either.
"""

from dataclasses import dataclass
from typing import Any

IMAGE, AUDIO, ATTRIBUTES = "image", "audio", "attributes"
STREAMS = (IMAGE, AUDIO, ATTRIBUTES)


@dataclass(frozen=True)
class Arrival:
    """One input as it came: [stamp_ns, end_ns) on the data's clock, and what it carries."""

    stream: str
    stamp_ns: int
    end_ns: int
    payload: Any


class JumpWatch:
    """Newest stamps and suspects of every stream. All times in ns; not thread-safe."""

    def __init__(self, forward_ns: int, backward_ns: int) -> None:
        self._forward = forward_ns
        self._backward = backward_ns
        self._newest: dict[str, int] = {}
        self._suspects: dict[str, Arrival] = {}

    @property
    def newest_ns(self) -> int | None:
        """End of the newest accepted input of all streams, or None."""
        return max(self._newest.values(), default=None)

    def newest_of(self, stream: str) -> int | None:
        """End of the newest accepted input of one stream, or None."""
        return self._newest.get(stream)

    def accept(self, arrival: Arrival) -> None:
        """Take note of an input that is in line."""
        known = self._newest.get(arrival.stream, arrival.end_ns)
        self._newest[arrival.stream] = max(known, arrival.end_ns)

    def jumps(self, arrival: Arrival, frontier_ns: int | None) -> bool:
        """Whether the input's stamp is out of line.

        `frontier_ns` is the stamp of the open frame. It runs ahead of the data where input paused
        while time went on; then it is the reference: a stream that goes on from where it paused,
        far behind the frontier, has in effect jumped back.
        """
        newest = self.newest_ns
        if newest is None:
            return False
        stamp = arrival.stamp_ns
        frontier = newest if frontier_ns is None else frontier_ns
        if stamp > max(newest, frontier) + self._forward:
            return True
        if stamp < self._newest.get(arrival.stream, stamp) - self._backward:
            return True
        return newest - self._backward <= stamp < frontier - self._backward

    def confirms(self, arrival: Arrival) -> bool:
        """Whether an out-of-line input agrees with its stream's suspect (a repeated stamp does
        not: that is what a driver with a stuck clock sends)."""
        suspect = self._suspects.get(arrival.stream)
        return (
            suspect is not None
            and arrival.stamp_ns != suspect.stamp_ns
            and self._near(suspect, arrival)
        )

    def _near(self, earlier: Arrival, later: Arrival) -> bool:
        distance = later.stamp_ns - earlier.end_ns
        return -self._backward <= distance <= self._forward

    def suspect(self, arrival: Arrival) -> bool:
        """Hold an input as its stream's suspect; returns whether an older one was dropped."""
        replaced = arrival.stream in self._suspects
        self._suspects[arrival.stream] = arrival
        return replaced

    def clear_suspect(self, stream: str) -> bool:
        """Drop a stream's suspect; returns whether there was one."""
        return self._suspects.pop(stream, None) is not None

    def restart(self, confirmation: Arrival | None = None) -> tuple[list[Arrival], int]:
        """Begin a new time axis.

        Returns the suspects that belong to it, by stamp (those near `confirmation`), and the
        number of those that do not and are dropped.
        """
        held = sorted(self._suspects.values(), key=lambda suspect: suspect.stamp_ns)
        kept = []
        if confirmation is not None:
            kept = [
                suspect
                for suspect in held
                if suspect.stream == confirmation.stream
                or abs(confirmation.stamp_ns - suspect.stamp_ns) <= self._forward
            ]
        self._newest.clear()
        self._suspects.clear()
        return kept, len(held) - len(kept)
