"""What is told of a synthetic corpus is what its people do."""

import json
from pathlib import Path

import numpy as np
import pytest

from perreactor_model.cli.main import main
from perreactor_model.contract import ACTION_UNITS
from perreactor_model.synthesis.actions import Event
from perreactor_model.synthesis.corpus import CorpusPlan, Performance, SyntheticCorpus
from perreactor_model.synthesis.dyad import Behaviour, Dyad
from perreactor_model.synthesis.scripts import Phrase
from perreactor_model.synthesis.statistics import measure, table
from perreactor_model.synthesis.talk import SpeechTrack

FRAMES = 250


def person(
    phrases: tuple[Phrase, ...] = (), smiles: tuple[float, ...] = (), events: tuple[Event, ...] = ()
) -> Behaviour:
    """Ten seconds of somebody; each smile is held for a second."""
    intensities = 0.01 * np.random.default_rng(len(smiles)).random((FRAMES, 15))
    for onset in smiles:
        begin = round(onset * 25)
        intensities[begin : begin + 25, ACTION_UNITS.index("AU12")] = 0.8
    silence = np.zeros(FRAMES, np.float32)
    return Behaviour(
        attributes=np.zeros((FRAMES, 25), np.float32),
        intensities=intensities.astype(np.float32),
        coefficients=np.zeros((FRAMES, 58), np.float32),
        speech=SpeechTrack(silence, silence, phrases, np.zeros((0, 7)), 120.0),
        gaze=np.zeros((FRAMES, 2), np.float32),
        lids=silence,
        events=events,
    )


class Acted(SyntheticCorpus):
    """A corpus in which everybody does as they are told here."""

    def __init__(self, dyad: Dyad, layout: str) -> None:
        super().__init__(CorpusPlan(layout=layout, listeners=5, sessions=1, seconds=10.0))
        self.dyad = dyad

    def perform(self, performance: Performance, draw: int = 0, speaker_draw: int = 0) -> Dyad:
        return self.dyad


def test_smiles_nods_blinks_and_pauses_are_counted() -> None:
    talk = (Phrase(0, 1.0, 3.0), Phrase(0, 3.4, 6.0), Phrase(0, 6.8, 9.0, ends_turn=True))
    nod = Event("nod", "phrase end", 3.6, 0.5, 0.1)
    blinks = tuple(Event("blink", "rest", onset, 0.3, 1.0) for onset in (2.0, 5.0))
    speaker = person(talk, smiles=(2.0, 5.0), events=(blinks[0],))
    listener = person(smiles=(2.8,), events=(nod, *blinks))
    told = measure(Acted(Dyad(speaker, listener), "mars"), "test").values
    assert told["smile_lag"] == pytest.approx(0.8)
    assert told["smiles_answered"] == pytest.approx(0.5)
    assert told["smiles_a_minute"] == pytest.approx(6.0)
    assert told["nod_lag"] == pytest.approx(0.6)
    assert told["nods_a_minute_listening"] == pytest.approx(60.0 / 8.0, rel=0.01)
    assert told["blinks_a_minute_listening"] == pytest.approx(2 * 60.0 / 8.0, rel=0.01)
    assert told["blinks_a_minute_talking"] == pytest.approx(60.0 / 8.0, rel=0.01)
    assert told["pause_median"] == pytest.approx(0.6)
    assert told["speaker_share"] == pytest.approx(0.68)
    assert np.isnan(told["gap_median"])


def test_both_are_listeners_where_they_take_turns() -> None:
    first = person((Phrase(0, 0.0, 4.0, ends_turn=True),), smiles=(6.0,))
    second = person((Phrase(1, 4.2, 9.0, ends_turn=True),), smiles=(1.0,))
    told = measure(Acted(Dyad(first, second), "react2024"), "test").values
    assert told["gap_median"] == pytest.approx(0.2)
    assert told["smiles_a_minute"] == pytest.approx(6.0)
    assert told["smiles_answered"] == 0.0


def test_simulated_people_behave_within_what_is_known_of_people(tmp_path: Path, capsys) -> None:
    words = ["--listeners", "5", "--sessions", "4", "--seconds", "20", "--workers", "1"]
    main(["synthesize", "--out", str(tmp_path), "--layout", "react2024", *words])
    capsys.readouterr()
    assert main(["synthesize", "--statistics", str(tmp_path), "--split", "train", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)["values"]
    assert 0.0 <= values["gap_median"] <= 0.5
    assert 0.2 <= values["pause_median"] <= 1.0
    assert 0.3 <= values["nod_lag"] <= 1.0
    assert 8.0 <= values["blinks_a_minute_listening"] <= 40.0
    assert 0.6 <= values["speaker_share"] + values["listener_share"] <= 1.1


def test_the_table_says_what_did_not_happen() -> None:
    text = table(measure(Acted(Dyad(person(), person()), "mars"), "test"))
    assert "| gaps between turns, median (s); below 0 is overlap | none |" in text
    assert "nan" not in text


def test_a_folder_without_a_synthetic_corpus_has_no_statistics(tmp_path: Path, capsys) -> None:
    assert main(["synthesize", "--statistics", str(tmp_path)]) == 2
    assert "is no synthetic corpus" in capsys.readouterr().err
    assert main(["synthesize"]) == 2
    assert "--out is missing" in capsys.readouterr().err
