"""Records what a live view shows, with the sound that belongs to it, into one mp4 file."""

from pathlib import Path

import numpy as np

from perreactor_model.media.recording import VideoWriter

_NS = 1_000_000_000
_WAIT_FOR_SOUND_NS = _NS
"""How long after the first picture the file may wait to learn the sound's rate."""

_JUMP_NS = 2 * _NS
_LATEST_SOUND_S = 1.0
"""Sound that is later than this is silence: pictures must not wait for it in the muxer."""


class ViewRecorder:
    """Pictures by the clock of whoever shows them, sound by its own stamps. Used by one thread.

    A picture shows a moment of the past (`shown_ns`); sound is laid so that it fits the first one.
    Pictures that are missing leave the one before on screen. A clock that jumps does not.
    """

    def __init__(self, path: Path, frame_rate: int = 25, *, sound: bool = True) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._frame_rate = frame_rate
        self._wants_sound = sound
        self._audio_rate = 0
        self._writer: VideoWriter | None = None
        self._first_ns: int | None = None
        self._last_ns = 0
        self._index = -1
        self._lag_ns = 0
        self._sound_end = 0

    @property
    def pictures(self) -> int:
        """Length of the recording so far, in pictures."""
        return self._index + 1

    def write(self, image: np.ndarray, now_ns: int, shown_ns: int) -> None:
        """Add a picture (RGB uint8) drawn at `now_ns` that shows the moment `shown_ns`."""
        if self._first_ns is None:
            self._first_ns = self._last_ns = now_ns
        if self._writer is None and not self._open(image, now_ns, shown_ns):
            return
        assert self._writer is not None and self._first_ns is not None
        step_ns = now_ns - self._last_ns
        if step_ns < 0 or step_ns > _JUMP_NS:
            self._first_ns += step_ns
            self._lag_ns = now_ns - shown_ns
        self._last_ns = now_ns
        index = round((now_ns - self._first_ns) * self._frame_rate / _NS)
        if index <= self._index:
            return
        self._index = index
        self._writer.write(image, index)
        self._fill_silence()

    def write_sound(self, samples: np.ndarray, rate: int, stamp_ns: int) -> None:
        """Add float32 mono samples, the first of them heard at `stamp_ns`."""
        if not self._wants_sound:
            return
        if not self._audio_rate and self._writer is None:
            self._audio_rate = rate
        if self._writer is None or rate != self._audio_rate or self._first_ns is None:
            return
        position = round((stamp_ns + self._lag_ns - self._first_ns) * rate / _NS)
        jitter = abs(position - self._sound_end) < 0.02 * rate
        position = self._sound_end if jitter else position
        if 0 <= position < (self._index / self._frame_rate + 2) * rate:
            self._writer.write_sound(samples, position)
            self._sound_end = max(self._sound_end, position + len(samples))

    def close(self) -> None:
        """Finish the file so that it plays; without any picture there is no file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            self._wants_sound = False

    def _open(self, image: np.ndarray, now_ns: int, shown_ns: int) -> bool:
        """Open the file once the sound's rate is known, or no sound seems to come."""
        assert self._first_ns is not None
        waited = now_ns - self._first_ns
        if self._wants_sound and not self._audio_rate and 0 <= waited < _WAIT_FOR_SOUND_NS:
            self._last_ns = now_ns
            return False
        height, width = image.shape[:2]
        self._writer = VideoWriter(
            self.path, width, height, self._frame_rate, audio_rate=self._audio_rate
        )
        self._first_ns = self._last_ns = now_ns
        self._lag_ns = now_ns - shown_ns
        return True

    def _fill_silence(self) -> None:
        if not self._audio_rate or self._writer is None:
            return
        latest = int((self._index / self._frame_rate - _LATEST_SOUND_S) * self._audio_rate)
        if latest > self._sound_end:
            self._writer.write_sound(np.zeros(latest - self._sound_end, np.float32))
            self._sound_end = latest


def free_path(path: Path) -> Path:
    """`path`, or the next of `name_2.mp4`, `name_3.mp4` ... that does not exist yet."""
    candidate, number = path, 2
    while candidate.exists():
        candidate = path.with_stem(f"{path.stem}_{number}")
        number += 1
    return candidate
