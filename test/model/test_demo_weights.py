"""The weights that are shipped react: to who speaks, and as whom they are given."""

import json
from pathlib import Path

import numpy as np
import pytest

from perreactor_model.bundle.manifest import DEFAULT_BUNDLE, Bundle
from perreactor_model.contract import (
    ACTION_UNIT_SLICE,
    ACTION_UNITS,
    AFFECT_SLICE,
    EXPRESSION_SLICE,
    FRAME_RATE,
    neutral_attributes,
)
from perreactor_model.generate.bundles import BundleGenerator
from perreactor_model.generate.inputs import GenerationInput
from perreactor_model.generate.options import GenerationOptions
from perreactor_model.profiles import ListenerHistory
from perreactor_model.profiles.filling import filled_rows
from perreactor_model.synthesis.dyad import persona_history
from perreactor_model.synthesis.personas import shipped_persona
from perreactor_model.synthesis.rendering import (
    MOVEMENT_COLUMNS,
    Footage,
    draw_appearance,
    draw_camera,
)
from perreactor_model.synthesis.seeds import stream

SMILE = ACTION_UNITS.index("AU12")
VALENCE = AFFECT_SLICE.start
PERSONAS = ("warm", "lively", "reserved", "stoic")
CALM, SMILING = 5 * FRAME_RATE, 3 * FRAME_RATE
LARGEST = 30_000_000
SAMPLES = 8


def smiling_speaker() -> np.ndarray:
    """At rest, a smile that comes and goes, at rest again: (T, 25)."""
    face = np.repeat(neutral_attributes()[None], 2 * CALM + SMILING, axis=0).astype(np.float32)
    smile = np.zeros(len(face), np.float32)
    smile[CALM : CALM + SMILING] = np.hanning(SMILING) ** 0.25
    face[:, SMILE] = 0.8 * smile
    face[:, ACTION_UNITS.index("AU6")] = 0.6 * smile
    face[:, VALENCE] = 0.6 * smile
    face[:, EXPRESSION_SLICE.start] = 1 - 0.9 * smile
    face[:, EXPRESSION_SLICE.start + 1] = 0.9 * smile
    return face


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle.load(DEFAULT_BUNDLE)


@pytest.fixture(scope="module")
def reactions(bundle: Bundle) -> np.ndarray:
    """What each persona does, as on a robot: (personas, samples, T, 25).

    The personas are watched on another day than when the bundle's profiles were made.
    """
    histories = [persona_history(shipped_persona(name), 40.0, (4711, 1)) for name in PERSONAS]
    rows = [
        filled_rows(ListenerHistory.from_columns(each, {"kind": "simulated"})) for each in histories
    ]
    given = GenerationInput(
        speaker_attributes=np.stack([smiling_speaker()] * len(PERSONAS)),
        listener_history=np.stack(rows).astype(np.float32),
    )
    options = GenerationOptions(mode="stream", samples=SAMPLES, seed=3)
    made = BundleGenerator(bundle, options).stream(given, options)["personal_attributes"]
    return made.reshape(len(PERSONAS), SAMPLES, *made.shape[1:])


def test_the_default_bundle_is_trained_and_says_on_what(bundle: Bundle) -> None:
    assert bundle.trained
    assert bundle.config.visual_input == "facial_attributes"
    told = json.loads((bundle.path / "bundle.json").read_text())["provenance"]
    assert "synthetic" in json.dumps(told)
    assert sorted(path.stem for path in bundle.profiles_path.glob("*.json")) == sorted(PERSONAS)


def test_what_is_shipped_is_small(bundle: Bundle) -> None:
    shipped = Path(__file__).parents[2] / "resource" / "bundles"
    assert sum(each.stat().st_size for each in shipped.rglob("*") if each.is_file()) < LARGEST


def test_a_smile_is_answered_by_a_smile(reactions: np.ndarray) -> None:
    warm = reactions[PERSONAS.index("warm"), :, :, SMILE].mean(axis=0)
    before = warm[CALM - 2 * FRAME_RATE : CALM].mean()
    answer = warm[CALM + FRAME_RATE : CALM + SMILING + FRAME_RATE].mean()
    after = warm[-FRAME_RATE:].mean()
    assert answer > before + 0.15
    assert answer > after + 0.1


def test_each_listens_in_a_manner_of_their_own(reactions: np.ndarray) -> None:
    warm, lively, reserved, stoic = reactions.mean(axis=(1, 2))
    assert warm[SMILE] > reserved[SMILE] > 0
    assert warm[SMILE] > stoic[SMILE] + 0.1
    assert warm[VALENCE] > stoic[VALENCE] + 0.1
    moves = reactions[..., ACTION_UNIT_SLICE].std(axis=2).mean(axis=(1, 2))
    assert min(moves[:2]) > max(moves[2:]), "warm and lively move more than reserved and stoic"


def test_reactions_are_many_valued(reactions: np.ndarray) -> None:
    answers = reactions[:, :, CALM : CALM + SMILING + FRAME_RATE, SMILE].mean(axis=2)
    # Who hardly smiles at all smiles hardly more at one time than at another.
    assert answers[:2].std(axis=1).min() > 0.02
    assert (answers.std(axis=1) / answers.mean(axis=1)).min() > 0.05
    lively = reactions[PERSONAS.index("lively")]
    apart = np.abs(lively[:1] - lively[1:])[..., ACTION_UNIT_SLICE].mean()
    assert apart > 0.02, "of one listener to the same speaker"


def drawn_smile(person: int, size: int) -> np.ndarray:
    """`smiling_speaker` as a camera would see somebody who was never drawn before, (T, 3, S, S)."""
    face = smiling_speaker()
    movement = np.zeros((len(face), MOVEMENT_COLUMNS), np.float32)
    movement[:, : len(ACTION_UNITS)] = face[:, ACTION_UNIT_SLICE]
    looks, camera = draw_appearance(stream((81, person))), draw_camera(stream((82, person)))
    footage = Footage(movement, looks, camera, size, FRAME_RATE, seed=person)
    pictures = np.stack(list(footage.pictures())).astype(np.float32)
    return pictures.transpose(0, 3, 1, 2) / 127.5 - 1.0


def test_the_bundle_that_sees_pixels_answers_a_drawn_smile_and_owns_up_to_its_limits() -> None:
    seeing = Bundle.load("demo_face_image")
    assert seeing.trained and seeing.config.visual_input == "face_image"
    assert "real cameras are out of its domain" in seeing.domain
    history = persona_history(shipped_persona("warm"), 40.0, (4711, 1))
    rows = filled_rows(ListenerHistory.from_columns(history, {"kind": "simulated"}))
    people = 5
    given = GenerationInput(
        speaker_video=np.stack([drawn_smile(n, seeing.config.image_size) for n in range(people)]),
        listener_history=np.stack([rows.astype(np.float32)] * people),
    )
    options = GenerationOptions(mode="stream", samples=4, seed=3)
    made = BundleGenerator(seeing, options).stream(given, options)["personal_attributes"]
    smile = made.reshape(-1, *made.shape[-2:])[:, :, SMILE].mean(axis=0)
    before = smile[CALM - 2 * FRAME_RATE : CALM].mean()
    assert smile[CALM + FRAME_RATE : CALM + SMILING + FRAME_RATE].mean() > before + 0.1
