"""A robot whose profile changes all the time: ten times a second and more, for hours."""

import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.contract import FRAME_NS
from perreactor_model.streaming.engine import EngineSettings, ReactionEngine
from perreactor_model.streaming.fade import (
    GENERIC_SOURCE,
    MOST_SOURCES,
    PERSONAL_SOURCE,
    Mix,
    ProfileFade,
)
from perreactor_model.streaming.frames import Reaction, SpeakerFrame

SETTINGS = EngineSettings(device="cpu", threads=1, recover_seconds=0.0)
FADE = 25
"""Frames of a fade."""

Schedule = Callable[[int], str | None]
"""The profile to be set before a frame, if any."""


def speaker(bundle: Bundle, count: int) -> list[SpeakerFrame]:
    """Every value of the token swings at a pace of its own."""
    generator = np.random.default_rng(0)
    size = bundle.config.feature_size
    pace, phase = generator.uniform(0.02, 0.15, size), generator.uniform(0, 6, size)
    return [
        SpeakerFrame(
            k, 0, 10**9 + k * FRAME_NS, np.sin(k * pace + phase).astype(np.float32), True, True
        )
        for k in range(count)
    ]


def in_turn(profiles: Sequence[str], frames: float = 2.5) -> Schedule:
    """One after the other, a change every `frames` frames: 2.5 are ten a second."""

    def scheduled(frame: int) -> str | None:
        turn = int(frame / frames)
        return profiles[turn % len(profiles)] if turn != int((frame - 1) / frames) else None

    return scheduled


def record(
    bundle: Bundle,
    frames: Sequence[SpeakerFrame],
    schedule: Schedule,
    first: str = "warm",
    others: Sequence[str] = (),
    engine_settings: EngineSettings = SETTINGS,
) -> list[Reaction]:
    engine = ReactionEngine(bundle, engine_settings)
    engine.add_robot("robot_a", first)
    for number, profile in enumerate(others):
        engine.add_robot(f"other_{number}", profile)
    reactions: list[Reaction] = []
    for frame in frames:
        wanted = schedule(frame.index)
        if wanted is not None:
            engine.set_profile("robot_a", wanted)
        reactions += engine.push([frame])
    return reactions + engine.finish()


def of(reactions: Sequence[Reaction], robot: str) -> np.ndarray:
    """Attributes and coefficients of one robot, (frames, 83)."""
    return np.array(
        [[*r.attributes, *r.coefficients] for r in reactions if r.robot == robot], np.float32
    )


def steps_of(rows: np.ndarray) -> np.ndarray:
    """The largest change of any value from frame to frame."""
    return np.abs(np.diff(rows, axis=0)).max(axis=1)


@pytest.fixture(params=["aligned", "paper"])
def bundle(request: pytest.FixtureRequest) -> Bundle:
    """Both kinds of decoder."""
    name = "tiny_bundle" if request.param == "aligned" else "tiny_paper_bundle"
    made: Bundle = request.getfixturevalue(name)
    return made


@pytest.mark.parametrize(
    "profiles",
    [("warm", "stoic"), ("warm", "generic"), ("warm", "lively", "generic", "stoic", "neutral")],
)
@pytest.mark.parametrize("frames_each", [1.0, 2.5, 13.0, 26.0])
def test_the_face_moves_no_faster_than_one_fade_lets_it(
    bundle: Bundle, profiles: tuple[str, ...], frames_each: float
) -> None:
    frames = speaker(bundle, 200)
    steady = {p: of(record(bundle, frames, lambda _: None, p), "robot_a") for p in profiles}
    ordinary = max(steps_of(rows).max() for rows in steady.values())
    faces = np.array(list(steady.values()))
    way = (faces.max(axis=0) - faces.min(axis=0)).max()
    switched = record(bundle, frames, in_turn(profiles, frames_each), profiles[0])
    # Decoders without a past and patterns on the way between two differ a little from the steady
    # ones: half as much again is left for that. A jump would take the whole way at once.
    allowed = 1.5 * (ordinary + way / FADE)
    assert steps_of(of(switched, "robot_a")).max() <= allowed
    assert allowed < 0.8 * way, "a jump from one to the other would be noticed"


def test_a_decoder_that_comes_back_begins_without_weight(bundle: Bundle) -> None:
    """PAG's past is dropped while GAG reacts alone; its first frames count for little."""
    frames = speaker(bundle, 160)

    def there_and_back(frame: int) -> str | None:
        return {40: "generic", 100: "warm"}.get(frame)

    rows = of(record(bundle, frames, there_and_back), "robot_a")
    generic = of(record(bundle, frames, lambda _: None, "generic"), "robot_a")
    assert np.array_equal(rows[80:100], generic[80:100]) or np.allclose(
        rows[80:100], generic[80:100], atol=2e-3
    )
    assert np.abs(rows[100] - generic[100]).max() <= 1.5 / FADE


def test_the_random_control_goes_on_when_it_is_chosen_again(tiny_bundle: Bundle) -> None:
    frames = speaker(tiny_bundle, 100)
    steady = of(record(tiny_bundle, frames, lambda _: None, "random"), "robot_a")
    toggled = of(record(tiny_bundle, frames, in_turn(["neutral", "random"]), "random"), "robot_a")
    assert steps_of(toggled).max() <= steps_of(steady).max() + 2.0 / FADE
    # Nothing but one random face and a neutral one: each value keeps to the line between them.
    neutral = of(record(tiny_bundle, frames, lambda _: None, "neutral"), "robot_a")
    share = (toggled - neutral)[:, 0] / (steady - neutral)[:, 0]
    assert np.allclose(toggled[:, :25], (neutral + share[:, None] * (steady - neutral))[:, :25],
                       atol=1e-4)  # fmt: skip


def test_a_schedule_of_changes_gives_the_same_bytes_again(bundle: Bundle) -> None:
    frames = speaker(bundle, 80)
    schedule = in_turn(["warm", "random", "generic", "stoic"])
    first, second = (of(record(bundle, frames, schedule), "robot_a") for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_other_robots_do_not_notice_to_the_byte(bundle: Bundle) -> None:
    frames = speaker(bundle, 60)
    others = ["generic", "warm", "neutral"]
    restless = record(bundle, frames, in_turn(["warm", "generic", "random"]), others=others)
    calm = record(bundle, frames, lambda _: None, others=others)
    for number in range(len(others)):
        robot = f"other_{number}"
        assert of(restless, robot).tobytes() == of(calm, robot).tobytes()


def test_the_restless_robot_arrives_once_it_is_left_alone(bundle: Bundle) -> None:
    frames = speaker(bundle, 160)
    hurry = in_turn(["generic", "stoic", "warm"])
    reactions = record(bundle, frames, lambda frame: hurry(frame) if frame < 98 else None)
    rows = of(reactions, "robot_a")
    final = reactions[-1].profile
    alone = of(record(bundle, frames, lambda _: None, final), "robot_a")
    assert np.abs(rows[-1] - alone[-1]).max() < 0.02


def test_faster_than_frames_only_the_last_change_counts(tiny_bundle: Bundle) -> None:
    frames = speaker(tiny_bundle, 60)
    engine = ReactionEngine(tiny_bundle, SETTINGS)
    engine.add_robot("robot_a", "warm")
    reactions = []
    for frame in frames:
        for profile in ("generic", "random", "neutral", "stoic"):
            engine.set_profile("robot_a", profile)
        reactions += engine.push([frame])
    assert {reaction.profile for reaction in reactions} == {"stoic"}
    rows = of(reactions, "robot_a")
    alone = of(record(tiny_bundle, frames, lambda _: None, "stoic"), "robot_a")
    assert steps_of(rows).max() <= steps_of(alone).max() + 1.5 / FADE


# --- What is kept ---------------------------------------------------------------------------------


def test_a_source_that_nobody_goes_back_to_is_dropped_in_the_end() -> None:
    fade = ProfileFade(Mix({GENERIC_SOURCE: 1.0}), FADE)
    pair = [Mix({PERSONAL_SOURCE: 1.0}, np.array([k], np.float32)) for k in (0.0, 1.0)]
    before = 1.0
    for change in range(400):
        fade.change(pair[change % 2])
        for frame in (2 * change, 2 * change + 1):
            weights = fade.at(frame).weights
            assert sum(weights.values()) == pytest.approx(1.0)
            now = weights.get(GENERIC_SOURCE, 0.0)
            assert before - now <= 1.0 / FADE + 1e-9
            before = now
    assert set(weights) == {PERSONAL_SOURCE}


@pytest.mark.parametrize("fade_seconds", [0.0, 1.0, 60.0])
def test_thousands_of_recordings_in_a_row_leave_a_bounded_number_of_sources(
    tiny_bundle: Bundle, tmp_path: Path, fade_seconds: float
) -> None:
    generator = np.random.default_rng(0)
    names = []
    for number in range(60):
        path = tmp_path / f"reaction_{number}.npy"
        np.save(path, generator.uniform(0.4, 0.6, (3, 25)))
        names.append(f"replay:{path}")
    engine = ReactionEngine(tiny_bundle, replace(SETTINGS, fade_seconds=fade_seconds))
    engine.add_robot("robot_a", "warm")
    state = engine._robots["robot_a", 0]
    for change, frame in enumerate(speaker(tiny_bundle, 400)):
        engine.set_profile("robot_a", names[change % len(names)])
        engine.push([frame])
        assert len(state.fade.at(frame.index).weights) <= MOST_SOURCES + 1


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_changes(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "reaction.npy"
    np.save(path, np.full((3, 25), 0.5))
    profiles = ["warm", "generic", "random", f"replay:{path}", "stoic", "neutral", "lively"]
    engine = ReactionEngine(bundle, SETTINGS)
    engine.add_robot("robot_a", "warm")
    frames = speaker(bundle, 3000)

    def change(part: slice) -> None:
        for frame in frames[part]:
            engine.set_profile("robot_a", profiles[frame.index % len(profiles)])
            engine.set_beta("robot_a", float(frame.index % 3))
            engine.push([frame])

    change(slice(0, 500))
    tracemalloc.start()
    try:
        change(slice(500, 1000))
        early, _ = tracemalloc.get_traced_memory()
        change(slice(1000, 3000))
        late, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert late - early < 100_000
