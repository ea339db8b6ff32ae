"""Blends of profiles, and the weight of the pattern, in the engine."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.contract import EXPRESSION_SLICE, FRAME_NS, attribute_ranges
from perreactor_model.profiles import ListenerProfile, ProfileError, ProfileStore
from perreactor_model.streaming.choice import choose
from perreactor_model.streaming.engine import EngineSettings, ReactionEngine
from perreactor_model.streaming.frames import SpeakerFrame
from perreactor_model.streaming.reactor import Reactor

SETTINGS = EngineSettings(device="cpu", threads=1, recover_seconds=0.0)
FADE = 25
"""Frames of a fade."""


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


def engine_of(
    bundle: Bundle, profile: str, settings: EngineSettings = SETTINGS, folders: Sequence[Path] = ()
) -> ReactionEngine:
    engine = ReactionEngine(bundle, settings, folders)
    engine.add_robot("robot_a", profile)
    return engine


def faces(engine: ReactionEngine, frames: Sequence[SpeakerFrame]) -> np.ndarray:
    """Attributes and coefficients, (frames, 83)."""
    return np.array([[*r.attributes, *r.coefficients] for r in engine.push(frames)], np.float32)


def steps_of(rows: np.ndarray) -> np.ndarray:
    return np.abs(np.diff(rows, axis=0)).max(axis=1)


@pytest.fixture(params=["aligned", "paper"])
def bundle(request: pytest.FixtureRequest) -> Bundle:
    """Both kinds of decoder."""
    name = "tiny_bundle" if request.param == "aligned" else "tiny_paper_bundle"
    made: Bundle = request.getfixturevalue(name)
    return made


# --- Blends ---------------------------------------------------------------------------------------


def test_two_people_blend_into_one_pattern_by_their_shares(tiny_bundle: Bundle) -> None:
    store = ProfileStore(tiny_bundle)
    warm, stoic = store.get("warm").pattern, store.get("stoic").pattern
    choice = choose(store, "warm:1+stoic:3")
    assert choice.name == "warm:1+stoic:3"
    assert dict(choice.weights) == {"personal": 1.0}
    assert np.allclose(choice.pattern, 0.25 * warm + 0.75 * stoic, atol=1e-6)


def test_generic_and_controls_keep_their_weight_beside_the_people(tiny_bundle: Bundle) -> None:
    store = ProfileStore(tiny_bundle)
    choice = choose(store, "warm:0.3+generic:0.2+stoic:0.1+neutral:0.4")
    assert choice.weights == pytest.approx({"personal": 0.4, "generic": 0.2, "neutral": 0.4})
    warm, stoic = store.get("warm").pattern, store.get("stoic").pattern
    assert np.allclose(choice.pattern, 0.75 * warm + 0.25 * stoic, atol=1e-6)


def test_a_blend_reacts_as_a_person_with_the_blended_pattern(
    bundle: Bundle, tmp_path: Path
) -> None:
    store = ProfileStore(bundle)
    pattern = np.mean([store.get(name).pattern for name in ("warm", "stoic")], axis=0)
    ListenerProfile("between", bundle.model_id, pattern.astype(np.float32)).save(tmp_path)
    frames = speaker(bundle, 40)
    blend = faces(engine_of(bundle, "warm:0.5+stoic:0.5"), frames)
    between = faces(engine_of(bundle, "between", folders=[tmp_path]), frames)
    assert np.allclose(blend, between, atol=1e-5)


def test_half_neutral_is_half_the_face(bundle: Bundle) -> None:
    frames = speaker(bundle, 40)
    whole, rest = (faces(engine_of(bundle, name), frames) for name in ("warm", "neutral"))
    half = faces(engine_of(bundle, "warm:0.5+neutral:0.5"), frames)
    assert np.allclose(half, 0.5 * (whole + rest), atol=1e-5)


def test_a_blend_stays_in_the_contracts_ranges(bundle: Bundle) -> None:
    blend = "warm:0.4+lively:0.3+generic:0.2+random:0.1"
    rows = faces(engine_of(bundle, blend), speaker(bundle, 60))
    low, high = attribute_ranges()
    assert (rows[:, :25] >= low - 1e-5).all()
    assert (rows[:, :25] <= high + 1e-5).all()
    assert np.allclose(rows[:, EXPRESSION_SLICE].sum(axis=1), 1.0, atol=1e-5)


def test_a_name_alone_reacts_as_it_always_did(bundle: Bundle) -> None:
    frames = speaker(bundle, 30)
    alone = faces(engine_of(bundle, "warm"), frames)
    doubled = faces(engine_of(bundle, "warm:0.5+warm:0.5"), frames)
    assert alone.tobytes() == doubled.tobytes()


def test_reactions_bear_the_blend_as_it_was_set_and_fade_to_it(bundle: Bundle) -> None:
    frames = speaker(bundle, 100)
    engine = engine_of(bundle, "warm")
    before = engine.push(frames[:40])
    engine.set_profile("robot_a", "stoic:2+generic:2")
    after = engine.push(frames[40:])
    assert {reaction.profile for reaction in before} == {"warm"}
    assert {reaction.profile for reaction in after} == {"stoic:2+generic:2"}
    steady = [faces(engine_of(bundle, p), frames) for p in ("warm", "stoic:2+generic:2")]
    way = np.abs(steady[0] - steady[1]).max()
    ordinary = max(steps_of(rows).max() for rows in steady)
    rows = np.array([[*r.attributes, *r.coefficients] for r in [*before, *after]])
    assert steps_of(rows).max() <= 1.5 * (ordinary + way / FADE)
    assert np.allclose(rows[-1], steady[1][-1], atol=0.02)


@pytest.mark.parametrize(
    "blend",
    ["warm:0.5+stoic", "warm:-1+stoic:2", "warm:0+stoic:0", "warm:0.5+wram:0.5", "warm+stoic",
     "warm:0.5+replay:/tmp/x.csv", "warm:nan+stoic:1", "+", ":", "warm:0.5+"],
)  # fmt: skip
def test_a_bad_blend_is_refused_with_its_reason_and_changes_nothing(
    tiny_bundle: Bundle, blend: str
) -> None:
    frames = speaker(tiny_bundle, 30)
    engine = engine_of(tiny_bundle, "warm")
    rows = [faces(engine, frames[:10])]
    with pytest.raises(ProfileError, match=r"blend|unknown|profile"):
        engine.set_profile("robot_a", blend)
    rows.append(faces(engine, frames[10:]))
    undisturbed = faces(engine_of(tiny_bundle, "warm"), frames)
    assert np.concatenate(rows).tobytes() == undisturbed.tobytes()


def test_a_profile_made_meanwhile_can_be_set_and_blended(
    tiny_bundle: Bundle, tmp_path: Path
) -> None:
    engine = engine_of(tiny_bundle, "warm", folders=[tmp_path])
    assert "alice" not in engine.known_profiles()
    pattern = np.full(tiny_bundle.config.feature_size, 0.5, np.float32)
    ListenerProfile("alice", tiny_bundle.model_id, pattern).save(tmp_path)
    assert "alice" in engine.known_profiles()
    engine.set_profile("robot_a", "alice:0.5+generic:0.5")
    (reaction,) = engine.push(speaker(tiny_bundle, 1))
    assert reaction.profile == "alice:0.5+generic:0.5"


def test_what_was_read_before_needs_no_file_any_more(tiny_bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "reaction.npy"
    np.save(path, np.full((3, 25), 0.5))
    engine = engine_of(tiny_bundle, "warm", replace(SETTINGS, fade_seconds=0.0))
    choice = choose(engine.profiles, f"replay:{path}")
    path.unlink()
    engine.set_profile("robot_a", choice)
    (reaction,) = engine.push(speaker(tiny_bundle, 1))
    assert reaction.profile == f"replay:{path}"
    assert np.allclose(reaction.attributes[:15], 0.5)


# --- Beta -----------------------------------------------------------------------------------------


def test_beta_weighs_the_pattern_as_the_settings_do(bundle: Bundle) -> None:
    frames = speaker(bundle, 30)
    engine = engine_of(bundle, "warm", replace(SETTINGS, fade_seconds=0.0))
    engine.set_beta("robot_a", 2.5)
    by_settings = engine_of(bundle, "warm", replace(SETTINGS, beta=2.5))
    assert faces(engine, frames).tobytes() == faces(by_settings, frames).tobytes()


def test_beta_fades_without_a_jump_arrives_and_comes_back(bundle: Bundle) -> None:
    frames = speaker(bundle, 240)
    engine = engine_of(bundle, "warm")
    parts = []
    for beta, part in ((None, slice(0, 40)), (4.0, slice(40, 140)), (None, slice(140, 240))):
        engine.set_beta("robot_a", beta)
        parts.append(faces(engine, frames[part]))
    rows = np.concatenate(parts)
    own, strong = (
        faces(engine_of(bundle, "warm", replace(SETTINGS, beta=beta)), frames)
        for beta in (None, 4.0)
    )
    way = np.abs(own - strong).max()
    ordinary = max(steps_of(own).max(), steps_of(strong).max())
    assert rows[:40].tobytes() == own[:40].tobytes()
    assert np.allclose(rows[139], strong[139], atol=0.02)
    assert np.allclose(rows[239], own[239], atol=0.02)
    # The way in pattern space is straight; that of the face may be steeper here than there.
    allowed = 2.0 * way / FADE + 1.5 * ordinary
    assert steps_of(rows).max() <= allowed
    assert allowed < 0.8 * way, "a jump from one to the other would be noticed"


def test_a_beta_that_is_moved_to_and_fro_does_not_make_the_face_jump(bundle: Bundle) -> None:
    frames = speaker(bundle, 150)
    extremes = [
        faces(engine_of(bundle, "warm", replace(SETTINGS, beta=beta)), frames)
        for beta in (0.0, 4.0)
    ]
    way = np.abs(extremes[0] - extremes[1]).max()
    ordinary = max(steps_of(rows).max() for rows in extremes)
    engine = engine_of(bundle, "warm")
    rows = []
    for frame in frames:
        engine.set_beta("robot_a", 4.0 * (frame.index // 2 % 2))
        rows.append(faces(engine, [frame])[0])
    assert steps_of(np.array(rows)).max() <= 2.0 * way / FADE + 1.5 * ordinary


@pytest.mark.parametrize("profile", ["generic", "neutral", "random"])
def test_beta_has_no_say_where_there_is_no_pattern(bundle: Bundle, profile: str) -> None:
    frames = speaker(bundle, 40)
    engine = engine_of(bundle, profile)
    engine.set_beta("robot_a", 9.0)
    plain = faces(engine_of(bundle, profile), frames)
    assert faces(engine, frames).tobytes() == plain.tobytes()


def test_each_robot_has_its_own_beta(tiny_bundle: Bundle) -> None:
    frames = speaker(tiny_bundle, 30)
    engine = ReactionEngine(tiny_bundle, SETTINGS)
    engine.add_robot("robot_a", "warm")
    engine.add_robot("robot_b", "warm", beta=0.0)
    reactions = engine.push(frames)
    first = np.array([r.attributes for r in reactions if r.robot == "robot_a"])
    alone = faces(engine_of(tiny_bundle, "warm"), frames)[:, :25]
    assert first.tobytes() == np.ascontiguousarray(alone).tobytes()
    engine.set_beta("robot_b", 1.0)
    with pytest.raises(ValueError, match="no robot 'robot_c'"):
        engine.set_beta("robot_c", 1.0)


@pytest.mark.parametrize("beta", [-1.0, float("nan"), float("inf"), "2"])
def test_a_beta_that_weighs_nothing_sensible_is_refused(tiny_bundle: Bundle, beta: float) -> None:
    engine = engine_of(tiny_bundle, "warm")
    with pytest.raises(ValueError, match="give a finite number of 0 or more, or None"):
        engine.set_beta("robot_a", beta)


def test_the_reactor_sets_both(tiny_bundle: Bundle) -> None:
    reactor = Reactor.load(tiny_bundle, {"robot_a": "warm:0.5+stoic:0.5"}, SETTINGS)
    reactor.set_beta("robot_a", 2.0)
    reactor.set_profile("robot_a", "generic:0.5+warm:0.5")
    with pytest.raises(ProfileError, match="did you mean 'warm'"):
        reactor.set_profile("robot_a", "wram:0.5+stoic:0.5")
    reactor.push(audio=np.zeros(3200, np.float32), audio_stamp_ns=10**9, sample_rate=16000)
    reactions = reactor.finish()
    assert reactions
    assert {reaction.profile for reaction in reactions} == {"generic:0.5+warm:0.5"}
