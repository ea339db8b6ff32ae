"""Each rule of the simulated conversations, seen in what people then do."""

import numpy as np
import pytest

from perreactor_model.contract import ACTION_UNIT_SLICE, ACTION_UNITS, FRAME_RATE, VALENCE
from perreactor_model.face_analysis.affect import derive, derive_many
from perreactor_model.metrics.correlation import ConcordanceIndex
from perreactor_model.synthesis.dyad import Behaviour, simulate
from perreactor_model.synthesis.motion import Course, follow, minimum_jerk, wander
from perreactor_model.synthesis.observed import observe
from perreactor_model.synthesis.personas import Persona, draw_persona, shipped_persona
from perreactor_model.synthesis.scripts import Moment, Phrase, Script, draw_script
from perreactor_model.synthesis.seeds import stream

SPEAKER = draw_persona(stream(8), "speaker")
BROWS = [ACTION_UNITS.index("AU1"), ACTION_UNITS.index("AU2")]


def listeners(script: Script, persona: Persona, count: int) -> list[Behaviour]:
    return [simulate(script, SPEAKER, persona, seed).listener for seed in range(count)]


def changed(persona: Persona, **traits: float) -> Persona:
    return Persona.from_dict({**persona.to_dict(), **traits})


def share_of(events: list, name: str, seconds: float) -> float:
    return sum(event.seconds for event in events if event.name == name) / seconds


def test_movements_begin_and_end_at_rest() -> None:
    assert minimum_jerk(np.array([-1.0, 0.0, 0.5, 1.0, 2.0])) == pytest.approx([0, 0, 0.5, 1, 1])
    part, height = follow(Course(1.0, 0.4, 0.5, 0.6), 100)
    assert part.start == 25 and height[0] == 0.0 and height.max() == pytest.approx(1.0)
    assert abs(height[-1]) < 0.01
    speed = np.diff(height)
    assert abs(speed[0]) < 0.1 * speed.max() and abs(speed[-1]) < 0.1 * -speed.min()


def test_a_movement_that_began_before_the_first_frame_goes_on() -> None:
    part, height = follow(Course(-0.5, 0.4, 1.0, 0.4), 100)
    assert part.start == 0 and height[0] == pytest.approx(1.0)
    assert follow(Course(9.0, 0.4, 1.0, 0.4), 100)[1].size == 0


def test_wandering_has_variance_1_and_its_own_time() -> None:
    for seconds in (0.5, 3.0):
        noise = wander(stream(1), 6000, 20, seconds)
        assert noise.var() == pytest.approx(1.0, rel=0.25)
        later = round(6 * seconds * FRAME_RATE)
        assert np.abs((noise[later:] * noise[:-later]).mean()) < 0.15


def test_reactions_come_after_the_personas_lag() -> None:
    script = Script(14.0, "fixed", (Phrase(0, 0.5, 13.0),), (Moment(0, 5.0, 2.0, "funny", 1.0),))
    onsets = {}
    for lag in (0.4, 1.1):
        persona = changed(shipped_persona("warm"), mimicry_lag=lag)
        events = [event for one in listeners(script, persona, 40) for event in one.events]
        onsets[lag] = np.median([e.onset - 5.0 for e in events if e.cause == "funny"])
    assert onsets[0.4] == pytest.approx(0.4, abs=0.12)
    assert onsets[1.1] == pytest.approx(1.1, abs=0.2)


def test_the_speaker_smiles_before_the_listener() -> None:
    script = Script(14.0, "fixed", (Phrase(0, 0.5, 13.0),), (Moment(0, 5.0, 2.0, "funny", 1.0),))
    smile = ACTION_UNITS.index("AU12")
    dyads = [simulate(script, SPEAKER, shipped_persona("warm"), seed) for seed in range(30)]
    told = np.mean([dyad.speaker.attributes[:, smile] for dyad in dyads], axis=0)
    answered = np.mean([dyad.listener.attributes[:, smile] for dyad in dyads], axis=0)
    centres = [
        np.average(np.arange(100, 225), weights=np.maximum(0.0, (v - v[100])[100:225]))
        for v in (told, answered)
    ]
    assert 0.3 < (centres[1] - centres[0]) / FRAME_RATE < 1.5


def test_brows_rise_with_questions_and_stay_down_without() -> None:
    raised = {}
    for kind in ("statement", "question"):
        script = Script(8.0, "fixed", (Phrase(0, 1.0, 4.0, kind),), ())
        dyads = [simulate(script, SPEAKER, shipped_persona("lively"), seed) for seed in range(40)]
        end = 4 * FRAME_RATE
        raised[kind] = [
            np.mean([dyad.speaker.attributes[end - 12 : end + 5, BROWS].mean() for dyad in dyads]),
            np.mean([dyad.listener.attributes[end + 5 : end + 25, BROWS].mean() for dyad in dyads]),
        ]
    assert raised["question"][0] > raised["statement"][0] + 0.15
    assert raised["question"][1] > raised["statement"][1] + 0.1


def test_questions_rise_in_pitch_and_statements_fall() -> None:
    rise = {}
    for kind in ("statement", "question"):
        script = Script(6.0, "fixed", (Phrase(0, 1.0, 4.0, kind),), ())
        ratios = []
        for seed in range(10):
            speech = simulate(script, SPEAKER, SPEAKER, seed).speaker.speech
            voiced = speech.pitch[speech.pitch > 0]
            ratios.append(voiced[-3:].mean() / np.median(voiced))
        rise[kind] = np.mean(ratios)
    assert rise["question"] > 1.1 > 1.0 > rise["statement"]


def test_lips_move_with_the_voice_and_only_then() -> None:
    script = Script(20.0, "turns", (Phrase(0, 1.0, 9.0, ends_turn=True), Phrase(1, 10, 19)), ())
    dyad = simulate(script, SPEAKER, shipped_persona("reserved"), 1)
    parted = ACTION_UNITS.index("AU25")
    for person, talks in ((dyad.speaker, slice(30, 220)), (dyad.listener, slice(265, 470))):
        loud = person.speech.energy > 0.05
        assert loud[talks].mean() > 0.9
        silent = slice(250, 490) if person is dyad.speaker else slice(0, 230)
        assert person.attributes[talks, parted].std() > 2 * person.attributes[silent, parted].std()


@pytest.mark.parametrize("rate", [8.0, 25.0])
def test_blinks_come_at_the_personas_rate(rate: float) -> None:
    persona = changed(shipped_persona("warm"), blink_rate=rate)
    script = draw_script(stream(2), 60.0)
    counts = [
        sum(event.name == "blink" for event in one.events) for one in listeners(script, persona, 10)
    ]
    assert np.mean(counts) == pytest.approx(rate, rel=0.35)


def test_who_averts_the_gaze_looks_away_for_longer() -> None:
    script = draw_script(stream(2), 60.0)
    away = {
        share: np.mean(
            [
                share_of(list(one.events), "look away", 60.0)
                for one in listeners(
                    script, changed(shipped_persona("warm"), gaze_aversion=share), 6
                )
            ]
        )
        for share in (0.05, 0.4)
    }
    assert away[0.05] < 0.15 < 0.25 < away[0.4] < 0.6


def test_nods_come_at_the_personas_rate_and_turn_the_head_down() -> None:
    script = draw_script(stream(2), 120.0)
    for rate in (3.0, 14.0):
        persona = changed(shipped_persona("warm"), backchannel_rate=rate)
        people = listeners(script, persona, 6)
        nods = [event for one in people for event in one.events if event.name == "nod"]
        assert len(nods) / 12 == pytest.approx(rate, rel=0.4)
    pitch = [
        one.coefficients[int(e.onset * 25) : int((e.onset + e.seconds) * 25) + 1, 52]
        for one in people
        for e in one.events
        if e.name == "nod" and e.onset < 115
    ]
    assert np.mean([np.ptp(p) > np.radians(2) for p in pitch]) > 0.9


def test_nobody_nods_or_hums_over_the_own_words() -> None:
    script = draw_script(stream(5), 60.0, "turns")
    for one in listeners(script, shipped_persona("warm"), 5):
        for event in one.events:
            if event.name in ("nod", "hum"):
                inside = [p for p in one.speech.phrases if p.onset < event.onset < p.end]
                assert not inside


def test_moods_tilt_and_favourite_units_join_in() -> None:
    script = draw_script(stream(2), 60.0)
    plain = changed(shipped_persona("reserved"), favourite_units={})
    habit = changed(plain, favourite_units={"AU9": 0.5})
    glad, gloomy = (changed(plain, baseline_valence=v) for v in (0.6, -0.6))
    mean = {
        name: np.mean([one.attributes for one in listeners(script, persona, 3)], axis=(0, 1))
        for name, persona in (("plain", plain), ("habit", habit), ("+", glad), ("-", gloomy))
    }
    nose = ACTION_UNITS.index("AU9")
    assert mean["habit"][nose] > mean["plain"][nose] + 0.03
    assert mean["+"][VALENCE] > mean["plain"][VALENCE] + 0.1 > mean["-"][VALENCE] + 0.2


def test_a_listener_drawn_again_is_nearer_to_themselves_than_somebody_else_is() -> None:
    people = [draw_persona(stream((3, k)), str(k)) for k in range(6)]
    script = draw_script(stream(9), 30.0)
    real = np.stack([simulate(script, SPEAKER, p, (1, k)).listener.attributes
                     for k, p in enumerate(people)])  # fmt: skip
    again = np.stack([
        [simulate(script, SPEAKER, p, (1, k), draw=d).listener.attributes for d in (1, 2, 3)]
        for k, p in enumerate(people)
    ])  # fmt: skip
    index = ConcordanceIndex(real)
    scores = np.stack([index.scores(one, np.arange(6)).mean(axis=0) for one in again])
    own = np.diagonal(scores).mean()
    others = scores[~np.eye(6, dtype=bool)].mean()
    # Many-valued, but appropriate: neither noise nor a copy.
    assert 0.2 < own < 0.6
    assert 0.1 < others < own - 0.05


def test_no_action_unit_is_dead_in_a_few_minutes() -> None:
    script = draw_script(stream(4), 120.0)
    rows = np.concatenate([one.attributes for one in listeners(script, shipped_persona("warm"), 2)])
    assert (rows[:, ACTION_UNIT_SLICE].std(axis=0) > 0.01).all()


def test_many_rows_of_affect_are_each_what_one_alone_is() -> None:
    units = stream(6).uniform(-0.5, 1.0, (60, 15)).clip(0.0)
    units[10, 11] = np.nan  # supports only
    units[20, 7] = np.nan  # the core of a smile
    many = derive_many(units)
    assert np.isnan(many[20]).all() and np.isfinite(np.delete(many, 20, 0)).all()
    for row, values in zip(units, many, strict=True):
        assert np.array_equal(derive(row).values, values, equal_nan=True)


def test_the_analyzer_sees_strengths_also_where_labels_are_occurrences() -> None:
    script = draw_script(stream(4), 20.0)
    views = [
        observe(simulate(script, SPEAKER, SPEAKER, 2, units=units).speaker, 1)
        for units in ("intensity", "occurrence")
    ]
    assert np.array_equal(views[0], views[1], equal_nan=True)
    smile = views[1][:, ACTION_UNITS.index("AU25")]
    assert len(np.unique(smile[np.isfinite(smile)])) > 50


def test_the_analyzer_takes_what_somebody_always_does_for_neutral() -> None:
    persona = changed(shipped_persona("warm"), baseline_valence=0.7, expressivity=1.4)
    script = Script(30.0, "fixed", (Phrase(0, 0.5, 29.0),), ())
    behaviour = simulate(script, SPEAKER, persona, 3).listener
    smile = ACTION_UNITS.index("AU12")
    seen = observe(behaviour, 2)[:, smile]
    assert behaviour.attributes[:, smile].mean() > np.nanmean(seen) + 0.2
