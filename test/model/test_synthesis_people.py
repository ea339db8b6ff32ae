"""Simulated people: traits within their ranges, and a clear word where they are not."""

import pickle

import numpy as np
import pytest

from perreactor_model.synthesis.personas import (
    SHIPPED_PERSONAS,
    Persona,
    PersonaError,
    draw_persona,
    load_persona,
    shipped_persona,
)
from perreactor_model.synthesis.scripts import Script, ScriptError, draw_script
from perreactor_model.synthesis.seeds import stream


@pytest.mark.parametrize("name", SHIPPED_PERSONAS)
def test_shipped_personas_can_be_loaded_and_sent_to_other_processes(name: str) -> None:
    persona = shipped_persona(name)
    assert persona.name == name
    assert pickle.loads(pickle.dumps(persona)) == persona
    assert Persona.from_dict(persona.to_dict()) == persona


def test_shipped_personas_differ_as_their_names_say() -> None:
    warm, lively, reserved, stoic = map(shipped_persona, SHIPPED_PERSONAS)
    assert warm.baseline_valence > max(p.baseline_valence for p in (lively, reserved, stoic))
    assert lively.expressivity > warm.expressivity > reserved.expressivity > stoic.expressivity


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("expressivity: 9", "expressivity is 9; it must be 0.05 to 1.5"),
        ("favourite_units: {AU99: 0.2}", "there is no action unit 'AU99'"),
        ("charm: 3", "unknown trait 'charm'"),
        ("- a list", "must be a table of traits"),
        ("expressivity: lots", "expressivity must be a number"),
    ],
)
def test_a_wrong_persona_is_refused_by_name(tmp_path, text: str, words: str) -> None:
    whole = "\n".join(
        f"{key}: {value}"
        for key, value in shipped_persona("warm").to_dict().items()
        if key not in ("name", "favourite_units") and not text.startswith(key)
    )
    path = tmp_path / "wrong.yaml"
    path.write_text(text if text.startswith("-") else f"{whole}\n{text}\n")
    with pytest.raises(PersonaError, match=words):
        load_persona(path)


def test_people_of_the_population_differ_and_can_be_drawn_again() -> None:
    people = [draw_persona(stream((0, k)), str(k)) for k in range(30)]
    assert people[3] == draw_persona(stream((0, 3)), "3")
    for trait in ("expressivity", "baseline_valence", "backchannel_rate", "head_motion"):
        values = [getattr(persona, trait) for persona in people]
        assert np.ptp(values) > 0.5 * max(map(abs, values))


@pytest.mark.parametrize("roles", ["fixed", "turns"])
def test_a_script_is_talk_with_pauses_and_things_that_happen(roles: str) -> None:
    scripts = [draw_script(stream((1, k)), 60.0, roles) for k in range(10)]
    for script in scripts:
        assert Script.from_dict(script.to_dict()) == script
        own = script.phrases_of(0)
        assert all(a.end < b.onset for a, b in zip(own[:-1], own[1:], strict=True))
        assert bool(script.phrases_of(1)) == (roles == "turns")
    talked = sum(phrase.end - phrase.onset for script in scripts for phrase in script.phrases)
    assert 0.7 < talked / 600.0 < 0.95
    assert {moment.kind for script in scripts for moment in script.moments} >= {"funny", "sad"}


def test_a_script_that_cannot_be_performed_is_refused() -> None:
    with pytest.raises(ScriptError, match="roles must be one of fixed, turns"):
        draw_script(stream(0), 10.0, "chorus")
    with pytest.raises(ScriptError, match="longer than 0 s"):
        draw_script(stream(0), 0.0)
