"""The public object: camera frames and sound in, reactions out, whatever is handed to it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.streaming.engine import EngineSettings
from perreactor_model.streaming.frames import Reaction
from perreactor_model.streaming.reactor import Reactor

FRAMES = 60
FRAME_NS = 40_000_000
RATE = 16_000
START = 1_700_000_000_000_000_000
SETTINGS = EngineSettings(device="cpu", threads=1)


def picture(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 256, (24, 32, 3), np.uint8)


def voice() -> np.ndarray:
    noise = np.random.default_rng(7).normal(0.0, 0.1, FRAMES * RATE // 25)
    return noise.astype(np.float32)


def reactor(bundle: Bundle, **robots: str) -> Reactor:
    return Reactor.load(bundle, robots or {"robot_a": "warm"}, SETTINGS, crop=False)


def together(listening: Reactor) -> list[Reaction]:
    """An image and its 40 ms of sound at a time."""
    reactions: list[Reaction] = []
    for index, sound in enumerate(np.split(voice(), FRAMES)):
        reactions += listening.push(picture(index), START + index * FRAME_NS, sound, None, RATE)
    return reactions + listening.finish()


def sound_first(listening: Reactor) -> list[Reaction]:
    """All sound in one piece, then the images one by one."""
    reactions = listening.push(audio=voice(), audio_stamp_ns=START, sample_rate=RATE)
    for index in range(FRAMES):
        reactions += listening.push(picture(index), START + index * FRAME_NS)
    return reactions + listening.finish()


def images_first(listening: Reactor) -> list[Reaction]:
    """All images, then the sound in odd pieces."""
    reactions: list[Reaction] = []
    for index in range(FRAMES):
        reactions += listening.push(picture(index), START + index * FRAME_NS)
    for first in range(0, voice().size, 333):
        stamp = START + first * 1_000_000_000 // RATE
        piece = voice()[first : first + 333]
        reactions += listening.push(audio=piece, audio_stamp_ns=stamp, sample_rate=RATE)
    return reactions + listening.finish()


def told(reactions: list[Reaction], robot: str = "robot_a") -> list[tuple]:
    return [
        (each.index, each.stamp_ns, each.attributes.tobytes(), each.coefficients.tobytes())
        for each in reactions
        if each.robot == robot
    ]


@pytest.mark.parametrize("play", [sound_first, images_first])
def test_a_recording_gives_the_same_bytes_in_whatever_portions_it_is_pushed(
    tiny_bundle: Bundle, play: Callable[[Reactor], list[Reaction]]
) -> None:
    expected = told(together(reactor(tiny_bundle)))
    assert [index for index, *_ in expected] == list(range(FRAMES))
    assert told(play(reactor(tiny_bundle))) == expected


def test_other_robots_do_not_change_a_byte_of_what_one_shows(tiny_bundle: Bundle) -> None:
    alone = told(together(reactor(tiny_bundle)))
    crowd = reactor(tiny_bundle, robot_b="generic", robot_a="warm", robot_c="stoic")
    assert told(together(crowd)) == alone


def test_without_robots_given_one_generic_robot_listens(tiny_bundle: Bundle) -> None:
    assert Reactor.load(tiny_bundle, settings=SETTINGS).engine.robots == ["robot_a"]
    assert Reactor.load(tiny_bundle, {}, SETTINGS).engine.robots == []


SOUND = np.zeros(640, np.float32)
IMAGE = np.zeros((24, 32, 3), np.uint8)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"image": IMAGE}, "stamp_ns"),
        ({"image": IMAGE, "stamp_ns": 0.5}, "whole nanoseconds"),
        ({"image": IMAGE, "stamp_ns": -1}, "0 or more nanoseconds"),
        ({"image": IMAGE[:0], "stamp_ns": 0}, "RGB uint8"),
        ({"image": IMAGE[..., 0], "stamp_ns": 0}, "RGB uint8"),
        ({"image": IMAGE.astype(float), "stamp_ns": 0}, "RGB uint8"),
        ({"image": [[0]], "stamp_ns": 0}, "list"),
        ({"audio": SOUND, "sample_rate": RATE}, "audio_stamp_ns"),
        ({"audio": SOUND, "stamp_ns": 0}, "sample_rate"),
        ({"audio": SOUND, "stamp_ns": 0, "sample_rate": 0}, "8000 to 48000"),
        ({"audio": SOUND, "stamp_ns": 0, "sample_rate": "16000"}, "8000 to 48000"),
        ({"audio": SOUND.astype(np.int16), "stamp_ns": 0, "sample_rate": RATE}, "floats"),
        ({"audio": SOUND.reshape(2, 4, 80), "stamp_ns": 0, "sample_rate": RATE}, "shape"),
    ],
)
def test_what_is_missing_or_malformed_is_named_and_does_no_harm(
    tiny_bundle: Bundle, arguments: dict[str, Any], named: str
) -> None:
    listening = reactor(tiny_bundle)
    with pytest.raises(ValueError, match=named):
        listening.push(**arguments)
    assert told(together(listening)) == told(together(reactor(tiny_bundle)))


@pytest.mark.parametrize(
    "sound", [np.full(640, np.nan), np.full(640, np.inf), np.full((640, 2), 1e30), np.zeros(0)]
)
def test_sound_that_is_no_sound_leaves_reactions_finite(
    tiny_bundle: Bundle, sound: np.ndarray
) -> None:
    listening = reactor(tiny_bundle)
    reactions: list[Reaction] = []
    for index in range(10):
        stamp = START + index * FRAME_NS
        reactions += listening.push(picture(index), stamp, sound.astype(np.float32), None, RATE)
    reactions += listening.finish()
    assert len(reactions) == 10
    assert all(np.isfinite(each.attributes).all() for each in reactions)


@pytest.mark.parametrize(
    "wrong",
    [
        {"step": 1.5},
        {"threads": "two"},
        {"beta": float("nan")},
        {"beta": -1.0},
        {"noise_seconds": "x"},
        {"decay_seconds": float("nan")},
    ],
)
def test_settings_that_are_no_numbers_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        EngineSettings(**wrong)
