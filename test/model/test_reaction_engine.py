"""The engine answers every frame for every robot, and always with the same bytes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.contract import (
    EXPRESSION_SLICE,
    FRAME_NS,
    attribute_ranges,
    neutral_attributes,
)
from perreactor_model.profiles import ProfileError
from perreactor_model.streaming.engine import EngineSettings, ReactionEngine
from perreactor_model.streaming.frames import Reaction, SpeakerFrame

SETTINGS = EngineSettings(device="cpu", threads=1, recover_seconds=0.0)


def speaker(bundle: Bundle, count: int, seed: int = 0, first: int = 0) -> list[SpeakerFrame]:
    """A speaker whose tokens drift smoothly."""
    generator = np.random.default_rng(seed)
    steps = generator.standard_normal((count, bundle.config.feature_size)) * 0.2
    tokens = np.cumsum(steps, axis=0).astype(np.float32)
    return [
        SpeakerFrame(first + k, 0, 10**9 + (first + k) * FRAME_NS, token, True, True)
        for k, token in enumerate(tokens)
    ]


def blank(frames: Sequence[SpeakerFrame]) -> list[SpeakerFrame]:
    return [replace(frame, face_present=False, voice_present=False) for frame in frames]


def record(
    bundle: Bundle,
    frames: Sequence[SpeakerFrame],
    robots: dict[str, str],
    engine_settings: EngineSettings = SETTINGS,
    chunks: Sequence[int] = (),
) -> list[Reaction]:
    engine = ReactionEngine(bundle, engine_settings)
    for robot, profile in robots.items():
        engine.add_robot(robot, profile)
    reactions: list[Reaction] = []
    rest = list(frames)
    for size in chunks:
        reactions += engine.push(rest[:size])
        rest = rest[size:]
    return reactions + engine.push(rest) + engine.finish()


def of(reactions: Sequence[Reaction], robot: str) -> np.ndarray:
    """Attributes and coefficients of one robot, (frames, 83)."""
    return np.array(
        [[*r.attributes, *r.coefficients] for r in reactions if r.robot == robot], np.float32
    )


@pytest.fixture(params=["aligned", "paper"])
def bundle(request: pytest.FixtureRequest) -> Bundle:
    """Both kinds of decoder."""
    name = "tiny_bundle" if request.param == "aligned" else "tiny_paper_bundle"
    made: Bundle = request.getfixturevalue(name)
    return made


def test_every_frame_gets_one_reaction_a_robot_with_its_stamp(bundle: Bundle) -> None:
    frames = speaker(bundle, 40)
    reactions = record(bundle, frames, {"robot_a": "warm", "robot_b": "generic"})
    for robot in ("robot_a", "robot_b"):
        mine = [r for r in reactions if r.robot == robot]
        assert [r.index for r in mine] == [f.index for f in frames]
        assert [r.stamp_ns for r in mine] == [f.stamp_ns for f in frames]


def test_reactions_stay_in_the_contracts_ranges(bundle: Bundle) -> None:
    rows = of(record(bundle, speaker(bundle, 60), {"robot_a": "lively"}), "robot_a")
    low, high = attribute_ranges()
    assert (rows[:, :25] >= low - 1e-6).all()
    assert (rows[:, :25] <= high + 1e-6).all()
    assert np.allclose(rows[:, EXPRESSION_SLICE].sum(axis=1), 1.0, atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(chunks=st.lists(st.integers(1, 9), max_size=8))
@pytest.mark.parametrize("kind", ["tiny_bundle", "tiny_paper_bundle"])
@pytest.mark.parametrize("step", [1, 4])
def test_any_chunking_gives_the_same_bytes(
    request: pytest.FixtureRequest, kind: str, step: int, chunks: list[int]
) -> None:
    bundle: Bundle = request.getfixturevalue(kind)
    asked = replace(SETTINGS, step=step)
    frames = speaker(bundle, 42)
    whole = of(record(bundle, frames, {"robot_a": "warm"}, asked), "robot_a")
    pieces = of(record(bundle, frames, {"robot_a": "warm"}, asked, chunks), "robot_a")
    assert whole.tobytes() == pieces.tobytes()


@pytest.mark.parametrize("others", [1, 2, 7, 31])
def test_other_robots_do_not_change_a_byte(bundle: Bundle, others: int) -> None:
    frames = speaker(bundle, 30)
    profiles = ["generic", "warm", "stoic", "lively", "neutral"]
    crowd = {f"other_{k}": profiles[k % len(profiles)] for k in range(others)}
    for mine in ("warm", "generic"):
        alone = of(record(bundle, frames, {"robot_a": mine}), "robot_a")
        among = of(record(bundle, frames, {**crowd, "robot_a": mine}), "robot_a")
        assert alone.tobytes() == among.tobytes()


def test_a_second_thread_does_not_change_a_byte(bundle: Bundle) -> None:
    frames = speaker(bundle, 20)
    one = of(record(bundle, frames, {"robot_a": "warm"}), "robot_a")
    two = of(record(bundle, frames, {"robot_a": "warm"}, replace(SETTINGS, threads=2)), "robot_a")
    assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize("step", [2, 5, 8])
def test_the_step_does_not_change_the_reaction(bundle: Bundle, step: int) -> None:
    frames = speaker(bundle, 64)
    single = of(record(bundle, frames, {"robot_a": "warm"}), "robot_a")
    several = of(
        record(bundle, frames, {"robot_a": "warm"}, replace(SETTINGS, step=step)), "robot_a"
    )
    assert np.abs(single - several).max() < 1e-4


def test_a_reaction_depends_on_the_window_and_on_nothing_older(tiny_bundle: Bundle) -> None:
    """Own past included: two layers of a band of W reach back at most 2 W frames."""
    window = tiny_bundle.config.window
    reach = window * (tiny_bundle.config.decoder_layers + 1)
    frames = speaker(tiny_bundle, reach + 30)
    changed = [replace(f, token=f.token + 1.0) if f.index < 10 else f for f in frames]
    first = of(record(tiny_bundle, frames, {"robot_a": "warm"}), "robot_a")
    second = of(record(tiny_bundle, changed, {"robot_a": "warm"}), "robot_a")
    assert np.abs(first[:10] - second[:10]).max() > 1e-4
    assert np.array_equal(first[reach + 10 :], second[reach + 10 :])


def test_seeds_and_robots_differ_and_repeat(bundle: Bundle) -> None:
    frames = speaker(bundle, 20)
    robots = {"robot_a": "warm", "robot_b": "warm"}
    first = record(bundle, frames, robots)
    assert not np.allclose(of(first, "robot_a"), of(first, "robot_b"))
    assert np.array_equal(of(first, "robot_a"), of(record(bundle, frames, robots), "robot_a"))
    other_seed = record(bundle, frames, robots, replace(SETTINGS, seed=1))
    assert not np.allclose(of(first, "robot_a"), of(other_seed, "robot_a"))


def test_a_profile_change_fades_without_a_jump_and_arrives(bundle: Bundle) -> None:
    frames = speaker(bundle, 90)
    engine = ReactionEngine(bundle, SETTINGS)
    engine.add_robot("robot_a", "warm")
    reactions = engine.push(frames[:40])
    engine.set_profile("robot_a", "generic")
    reactions += engine.push(frames[40:])
    rows = of(reactions, "robot_a")
    steps = np.abs(np.diff(rows, axis=0)).max(axis=1)
    warm, generic = (
        of(record(bundle, frames, {"robot_a": name}), "robot_a") for name in ("warm", "generic")
    )
    assert np.array_equal(rows[:40], warm[:40])
    # A fade of 25 frames moves at most a twenty-fifth of the way a frame, beyond ordinary motion.
    way = np.abs(warm - generic).max()
    ordinary = max(np.abs(np.diff(warm, axis=0)).max(), np.abs(np.diff(generic, axis=0)).max())
    assert steps[38:66].max() < way / 25 + 2 * ordinary
    assert {r.profile for r in reactions[:40]} == {"warm"}
    assert {r.profile for r in reactions[40:]} == {"generic"}


def test_an_unknown_profile_names_the_known_ones_and_changes_nothing(tiny_bundle: Bundle) -> None:
    frames = speaker(tiny_bundle, 20)
    engine = ReactionEngine(tiny_bundle, SETTINGS)
    engine.add_robot("robot_a", "warm")
    reactions = engine.push(frames[:10])
    with pytest.raises(ProfileError, match="did you mean 'warm'.*stoic"):
        engine.set_profile("robot_a", "wram")
    reactions += engine.push(frames[10:])
    undisturbed = of(record(tiny_bundle, frames, {"robot_a": "warm"}), "robot_a")
    assert np.array_equal(of(reactions, "robot_a"), undisturbed)


def test_loss_of_input_decays_to_neutral_and_recovers(bundle: Bundle) -> None:
    frames = speaker(bundle, 180)
    lost = [*frames[:40], *blank(frames[40:140]), *frames[140:]]
    reactions = record(bundle, lost, {"robot_a": "warm"})
    rest = reactions[139]
    assert np.allclose(rest.attributes, neutral_attributes(), atol=1e-6)
    assert not rest.coefficients.any()
    assert rest.confidence == 0.0
    assert not np.allclose(reactions[-1].attributes, neutral_attributes(), atol=1e-3)
    assert reactions[-1].confidence > 0.0


def test_silence_of_perception_decays_to_neutral_and_stamps_go_on(tiny_bundle: Bundle) -> None:
    engine = ReactionEngine(tiny_bundle, SETTINGS)
    engine.add_robot("robot_a", "warm")
    assert engine.idle() == []
    frames = speaker(tiny_bundle, 150)
    last = engine.push(frames[:30])[-1]
    idle = [reaction for _ in range(80) for reaction in engine.idle()]
    assert [r.index for r in idle] == list(range(30, 110))
    assert [r.stamp_ns for r in idle] == [last.stamp_ns + k * FRAME_NS for k in range(1, 81)]
    assert np.allclose(idle[-1].attributes, neutral_attributes(), atol=1e-6)
    back = engine.push(frames[110:])
    assert np.abs(back[0].attributes - idle[-1].attributes).max() < 0.05
    assert not np.allclose(back[-1].attributes, neutral_attributes(), atol=1e-3)


def test_a_reset_in_silence_lets_the_face_come_to_rest(tiny_bundle: Bundle) -> None:
    engine = ReactionEngine(tiny_bundle, SETTINGS)
    engine.add_robot("robot_a", "warm")
    last = engine.push(speaker(tiny_bundle, 30))[-1]
    engine.reset()
    idle = [reaction for _ in range(80) for reaction in engine.idle()]
    assert idle[0].stamp_ns == last.stamp_ns + FRAME_NS
    assert np.allclose(idle[-1].attributes, neutral_attributes(), atol=1e-6)
    assert [r.index for r in engine.push(speaker(tiny_bundle, 3, seed=1))] == [0, 1, 2]


def test_late_and_duplicate_frames_are_dropped_and_counted(tiny_bundle: Bundle) -> None:
    frames = speaker(tiny_bundle, 10)
    engine = ReactionEngine(tiny_bundle, SETTINGS)
    engine.add_robot("robot_a")
    disordered = [*frames[:5], frames[4], frames[2], *frames[5:]]
    reactions = engine.push(disordered)
    assert [r.index for r in reactions] == list(range(10))
    assert engine.counters["late_frames"] == 2


def test_a_gap_is_counted_and_does_not_make_the_face_jump(bundle: Bundle) -> None:
    frames = speaker(bundle, 120)
    reactions = record(bundle, [*frames[:60], *frames[85:]], {"robot_a": "warm"})
    rows = of(reactions, "robot_a")
    steps = np.abs(np.diff(rows, axis=0)).max(axis=1)
    assert steps[59] < 3 * np.delete(steps, range(58, 70)).max()


def test_a_new_epoch_starts_afresh_and_the_face_does_not_jump(bundle: Bundle) -> None:
    frames = speaker(bundle, 40)
    again = [replace(f, epoch=1, stamp_ns=f.stamp_ns - 10**12) for f in speaker(bundle, 40, 7)]
    engine = ReactionEngine(bundle, SETTINGS)
    engine.add_robot("robot_a", "warm")
    before = engine.push(frames)
    after = engine.push(again)
    assert {r.epoch for r in before} == {0}
    assert {r.epoch for r in after} == {1}
    rows = of([*before, *after], "robot_a")
    steps = np.abs(np.diff(rows, axis=0)).max(axis=1)
    assert steps[39] < 3 * steps[:39].max()
    fresh = of(record(bundle, again, {"robot_a": "warm"}), "robot_a")
    assert np.allclose(of(after, "robot_a")[20:], fresh[20:], atol=1e-5)


def test_perception_that_was_restarted_is_followed(tiny_bundle: Bundle) -> None:
    """It counts from 0 in epoch 0 again, an hour later."""
    engine = ReactionEngine(tiny_bundle, SETTINGS)
    engine.add_robot("robot_a")
    engine.push(speaker(tiny_bundle, 40))
    later = [replace(f, stamp_ns=f.stamp_ns + 3600 * 10**9) for f in speaker(tiny_bundle, 10)]
    reactions = engine.push(later)
    assert [r.index for r in reactions] == list(range(10))
    assert {r.epoch for r in reactions} == {1}


def test_a_robot_may_leave_and_the_others_go_on_undisturbed(bundle: Bundle) -> None:
    frames = speaker(bundle, 40)
    alone = of(record(bundle, frames, {"robot_b": "stoic"}), "robot_b")
    engine = ReactionEngine(bundle, SETTINGS)
    engine.add_robot("robot_a", "warm")
    engine.add_robot("robot_b", "stoic")
    reactions = engine.push(frames[:20])
    engine.remove_robot("robot_a")
    reactions += engine.push(frames[20:])
    assert of(reactions, "robot_b").tobytes() == alone.tobytes()
    assert engine.robots == ["robot_b"]


def test_a_disabled_robot_comes_to_rest_and_falls_silent_until_enabled(bundle: Bundle) -> None:
    frames = speaker(bundle, 120)
    engine = ReactionEngine(bundle, SETTINGS)
    engine.add_robot("robot_a", "warm")
    engine.push(frames[:20])
    engine.set_enabled("robot_a", False)
    going = engine.push(frames[20:60])
    assert 0 < len(going) < 40
    assert np.allclose(going[-1].attributes, neutral_attributes(), atol=1e-6)
    engine.set_enabled("robot_a", True)
    back = engine.push(frames[60:])
    assert len(back) == 60
    assert np.abs(back[0].attributes - going[-1].attributes).max() < 0.05


def test_a_token_of_another_bundle_is_refused_by_its_shape(tiny_bundle: Bundle) -> None:
    engine = ReactionEngine(tiny_bundle, SETTINGS)
    wrong = replace(speaker(tiny_bundle, 1)[0], token=np.zeros(5, np.float32))
    with pytest.raises(ValueError, match=r"\(5,\).*same bundle"):
        engine.push([wrong])


def test_a_token_with_nan_is_dropped_and_counted(tiny_bundle: Bundle) -> None:
    frames = speaker(tiny_bundle, 3)
    frames[1] = replace(frames[1], token=np.full_like(frames[1].token, np.nan))
    engine = ReactionEngine(tiny_bundle, SETTINGS)
    engine.add_robot("robot_a")
    assert len(engine.push(frames)) == 2
    assert engine.counters["bad_tokens"] == 1


def test_settings_out_of_range_are_refused_by_name() -> None:
    for wrong in ({"step": 0}, {"fade_seconds": -1.0}, {"blend_frames": -1}, {"window": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            EngineSettings(**wrong)


def test_blocks_of_the_paper_decoder_join_without_a_seam(tiny_paper_bundle: Bundle) -> None:
    """Largest second difference where blocks join against that elsewhere: at most 1.2."""
    window = tiny_paper_bundle.config.window
    frames = speaker(tiny_paper_bundle, window * 6)
    rows = of(record(tiny_paper_bundle, frames, {"robot_a": "warm"}), "robot_a")[window // 2 :]
    bend = np.abs(np.diff(rows, 2, axis=0)).max(axis=1)
    phase = (np.arange(len(bend)) + window // 2 + 1) % window
    joins = (phase < 10) | (phase >= window - 1)
    assert bend[joins].max() <= 1.2 * bend[~joins].max()
