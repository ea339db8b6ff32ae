"""Simulated conversations: many-valued, appropriate, each listener's own, and the same again."""

import numpy as np
import pytest

from perreactor_model.contract import (
    ACTION_UNITS,
    EXPRESSION_SLICE,
    FRAME_RATE,
    ROTATION_SLICE,
    VALENCE,
    attribute_ranges,
)
from perreactor_model.synthesis.dyad import persona_history, simulate
from perreactor_model.synthesis.observed import observe
from perreactor_model.synthesis.personas import draw_persona, shipped_persona
from perreactor_model.synthesis.scripts import Moment, Phrase, Script, draw_script
from perreactor_model.synthesis.seeds import stream

SPEAKER = draw_persona(stream(8), "speaker")
SMILE = ACTION_UNITS.index("AU12")


@pytest.fixture(scope="module")
def script() -> Script:
    return draw_script(stream(4), 30.0)


def test_the_same_arguments_give_the_same_bytes(script: Script) -> None:
    once, again = (simulate(script, SPEAKER, shipped_persona("warm"), 5) for _ in range(2))
    for one, other in ((once.speaker, again.speaker), (once.listener, again.listener)):
        assert one.attributes.tobytes() == other.attributes.tobytes()
        assert one.coefficients.tobytes() == other.coefficients.tobytes()
        assert one.speech.energy.tobytes() == other.speech.energy.tobytes()


def test_another_draw_is_another_reaction_to_the_same_speaker(script: Script) -> None:
    first = simulate(script, SPEAKER, shipped_persona("warm"), 5)
    second = simulate(script, SPEAKER, shipped_persona("warm"), 5, draw=1)
    assert np.array_equal(first.speaker.attributes, second.speaker.attributes)
    apart = np.abs(first.listener.attributes - second.listener.attributes).mean()
    assert apart > 0.005


def test_values_stay_in_the_contract(script: Script) -> None:
    low, high = attribute_ranges()
    for seed in range(3):
        dyad = simulate(script, SPEAKER, shipped_persona("lively"), seed)
        for behaviour in (dyad.speaker, dyad.listener):
            attributes = behaviour.attributes
            assert attributes.shape == (750, 25) and attributes.dtype == np.float32
            assert ((attributes >= low) & (attributes <= high)).all()
            assert np.allclose(attributes[:, EXPRESSION_SLICE].sum(axis=1), 1, atol=1e-5)
            assert behaviour.coefficients.shape == (750, 58)
            assert np.abs(behaviour.coefficients[:, ROTATION_SLICE]).max() < np.radians(45)


def test_occurrences_are_0_or_1(script: Script) -> None:
    dyad = simulate(script, SPEAKER, shipped_persona("lively"), 0, units="occurrence")
    units = dyad.listener.attributes[:, :15]
    assert set(np.unique(units)) == {0.0, 1.0}
    with pytest.raises(ValueError, match="units must be one of occurrence, intensity"):
        simulate(script, SPEAKER, SPEAKER, 0, units="sometimes")


def told(kind: str) -> Script:
    """One moment, five seconds in."""
    return Script(12.0, "fixed", (Phrase(0, 0.5, 11.0),), (Moment(0, 5.0, 3.0, kind, 1.0),))


def test_listeners_smile_at_what_is_funny_after_their_lag_and_not_before() -> None:
    listener = shipped_persona("warm")
    smiles = np.mean(
        [
            simulate(told("funny"), SPEAKER, listener, seed).listener.attributes[:, SMILE]
            for seed in range(30)
        ],
        axis=0,
    )
    sad = np.mean(
        [
            simulate(told("sad"), SPEAKER, listener, seed).listener.attributes[:, SMILE]
            for seed in range(30)
        ],
        axis=0,
    )
    before = smiles[: 5 * FRAME_RATE].mean()
    after = smiles[6 * FRAME_RATE : 8 * FRAME_RATE].mean()
    assert after > before + 0.2
    assert sad[6 * FRAME_RATE : 8 * FRAME_RATE].mean() < after - 0.2
    assert abs(smiles[5 * FRAME_RATE] - before) < 0.1


def test_listeners_nod_where_phrases_end() -> None:
    phrases = tuple(Phrase(0, 3.0 * k + 0.3, 3.0 * k + 2.3) for k in range(10))
    script = Script(30.0, "fixed", phrases, ())
    onsets = [
        event.onset
        for seed in range(20)
        for event in simulate(script, SPEAKER, shipped_persona("warm"), seed).listener.events
        if event.name == "nod"
    ]
    after = np.array([(onset - 2.3) % 3.0 for onset in onsets])
    assert len(onsets) > 60
    assert ((after > 0.05) & (after < 1.6)).mean() > 0.9


def test_personas_show_in_what_they_do() -> None:
    shown = {}
    for name in ("warm", "lively", "stoic"):
        rows = np.concatenate(
            [
                simulate(
                    draw_script(stream((6, k)), 30.0), SPEAKER, shipped_persona(name), k
                ).listener.attributes
                for k in range(6)
            ]
        )
        shown[name] = rows
    assert shown["warm"][:, VALENCE].mean() > shown["stoic"][:, VALENCE].mean() + 0.2
    spread = {name: rows[:, :15].std(axis=0).mean() for name, rows in shown.items()}
    assert spread["lively"] > 2 * spread["stoic"]


def test_the_analyzers_view_has_its_holes_and_dead_zones(script: Script) -> None:
    behaviour = simulate(script, SPEAKER, shipped_persona("lively"), 3).listener
    seen = observe(behaviour, 1)
    assert seen.shape == (750, 31) and seen.dtype == np.float32
    assert np.isnan(seen[:, ACTION_UNITS.index("AU23")]).all()
    closed = behaviour.lids > 0.5
    face = np.isfinite(seen[:, SMILE])
    assert np.isnan(seen[closed & face][:, ACTION_UNITS.index("AU6")]).all()
    calm = behaviour.attributes[:, ACTION_UNITS.index("AU9")] < 0.3
    assert (seen[calm & face][:, ACTION_UNITS.index("AU9")] < 0.06).all()
    assert np.isnan(observe(behaviour, 1, calibrate=True)[:100, :25]).all()
    assert np.array_equal(observe(behaviour, 1), seen, equal_nan=True)


def test_a_persona_has_a_past_of_any_length() -> None:
    for seconds in (10.0, 23.0):
        rows = persona_history(shipped_persona("warm"), seconds, 2)
        assert rows.shape == (round(seconds * FRAME_RATE), 31)
    assert not np.array_equal(
        rows, persona_history(shipped_persona("warm"), 23.0, 3), equal_nan=True
    )
