"""Who measures faces when nobody says so."""

import sys

import pytest

from perreactor_model.face_analysis.choice import chosen_analyzer, landmarks_installed


@pytest.mark.skipif(not landmarks_installed(), reason="the analyzer needs mediapipe")
def test_bundles_that_see_attributes_get_the_analyzer_and_others_none():
    assert chosen_analyzer("auto", "facial_attributes") == "landmarks"
    assert chosen_analyzer("auto", "face_image") == "none"


def test_without_mediapipe_auto_is_nobody(monkeypatch):
    monkeypatch.setitem(sys.modules, "mediapipe", None)  # as if it were not installed
    assert chosen_analyzer("auto", "facial_attributes") == "none"


@pytest.mark.parametrize("name", ["landmarks", "hri", "none"])
def test_a_name_stands_for_itself_whatever_the_bundle_sees(name):
    assert chosen_analyzer(name, "face_image") == chosen_analyzer(name, "facial_attributes") == name


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'eyes': give one of auto, landmarks, hri, none"):
        chosen_analyzer("eyes", "face_image")
