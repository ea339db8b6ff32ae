"""How present the speaker is: confidence, and the way to neutral when input is lost."""

from collections import deque

from perreactor_model.contract import FRAME_RATE


def smooth_step(share: float) -> float:
    """0..1 to 0..1 with zero slope at both ends and the least bend that such a curve can have.

    Two parabolas: constant acceleration, then constant braking. What is mixed by it starts and
    stops softly, and its second difference stays as small as possible.
    """
    share = min(max(share, 0.0), 1.0)
    return 2.0 * share * share if share < 0.5 else 1.0 - 2.0 * (1.0 - share) ** 2


class Ramp:
    """A gain that rises to 1 and falls to 0 within set times, with soft ends."""

    def __init__(self, level: float, rise_seconds: float, fall_seconds: float) -> None:
        self._level = level
        self._rise = 1.0 / max(rise_seconds * FRAME_RATE, 1.0)
        self._fall = 1.0 / max(fall_seconds * FRAME_RATE, 1.0)

    @property
    def gain(self) -> float:
        """0..1."""
        return smooth_step(self._level)

    def move(self, up: bool) -> None:
        """One frame further towards 1 (`up`) or 0."""
        if up:
            self._level = min(self._level + self._rise, 1.0)
        else:
            self._level = max(self._level - self._fall, 0.0)


class SpeakerPresence:
    """Follows face and voice frame by frame.

    `gain` is 1 while there is a speaker; after `loss_seconds` with neither face nor voice it goes
    to 0 within `decay_seconds`, and comes back within `recover_seconds`. It starts at 0: a face
    wakes from neutral. `confidence` is the share of face and voice over the whole window, times
    the gain.
    """

    def __init__(
        self, window: int, loss_seconds: float, decay_seconds: float, recover_seconds: float
    ) -> None:
        self._window = window
        self._loss_frames = loss_seconds * FRAME_RATE
        self._ramp = Ramp(0.0, recover_seconds, decay_seconds)
        self._seen: deque[float] = deque(maxlen=window)
        self._absent = 0
        self.lost = True

    @property
    def gain(self) -> float:
        """How far the face is from neutral, 0..1."""
        return self._ramp.gain

    @property
    def confidence(self) -> float:
        """0..1, see the class."""
        return self.gain * sum(self._seen) / self._window

    def update(self, face: bool, voice: bool) -> None:
        """Take one more frame of 1/25 s into account."""
        present = face or voice
        self._seen.append(0.5 * face + 0.5 * voice)
        self._absent = 0 if present else self._absent + 1
        if present or self._absent > self._loss_frames:
            self._ramp.move(up=present)
            self.lost = not present

    def forget(self) -> None:
        """Empty the window (a new epoch); the gain stays, so the face does not jump."""
        self._seen.clear()
