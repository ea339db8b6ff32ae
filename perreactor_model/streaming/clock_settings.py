"""Settings of the frame clock, validated once."""

from dataclasses import dataclass

from perreactor_model.audio.resample import check_rate
from perreactor_model.contract import FRAME_RATE
from perreactor_model.streaming.jumps import STREAMS


@dataclass(frozen=True)
class ClockSettings:
    """How long the clock waits and what it tolerates. Times in seconds.

    rate: sampling rate of the delivered sound, Hz, a multiple of 25 (the bundle's `audio_rate`).
    expects: streams a frame waits for: "image", "attributes", "audio". Others are attached where
        they have come, but never waited for.
    max_wait: after a frame's end, on the data's clock, until it is completed without its sound.
    image_wait: after a frame's end until it is completed with a held image, or with none.
    image_hold: greatest age of an image (or of attributes) that still serves a frame.
    jump_forward, jump_backward: a stamp further ahead or back than this is a jump of the clock.
    audio_tolerance: jitter of audio stamps that counts as none.
    buffer_seconds: data the clock holds for a stream that does not come, at most.
    image_capacity: images it holds at most (also: attributes).
    frame_capacity: complete frames it holds until they are taken.
    """

    rate: int = 16_000
    expects: tuple[str, ...] = ("image", "audio")
    max_wait: float = 0.06
    image_wait: float = 0.01
    image_hold: float = 0.2
    jump_forward: float = 2.0
    jump_backward: float = 1.0
    audio_tolerance: float = 0.02
    buffer_seconds: float = 60.0
    image_capacity: int = 256
    frame_capacity: int = 1500

    def __post_init__(self) -> None:
        check_rate(self.rate)
        if self.rate % FRAME_RATE:
            raise ValueError(f"rate must be a multiple of {FRAME_RATE} Hz, got {self.rate}")
        object.__setattr__(self, "expects", tuple(self.expects))
        if not self.expects or not set(self.expects) <= set(STREAMS):
            raise ValueError(f"expects must name some of {', '.join(STREAMS)}, got {self.expects}")
        _check_range("max_wait", self.max_wait, 0.0, 5.0)
        _check_range("image_wait", self.image_wait, 0.0, 5.0)
        _check_range("image_hold", self.image_hold, 0.02, 10.0)
        _check_range("jump_forward", self.jump_forward, 0.2, 3600.0)
        _check_range("jump_backward", self.jump_backward, 0.2, 3600.0)
        _check_range("audio_tolerance", self.audio_tolerance, 0.001, 0.5)
        _check_range("buffer_seconds", self.buffer_seconds, 1.0, 600.0)
        _check_range("image_capacity", self.image_capacity, 8, 100_000)
        _check_range("frame_capacity", self.frame_capacity, 1, 1_000_000)


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low:g} to {high:g}, got {value}")
