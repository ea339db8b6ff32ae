"""Arrays become messages only in the right shape, and come back as they were."""

import re
from pathlib import Path

import numpy as np
import pytest
from perreactor_ros.msg import (
    AudioChunk,
    EnrolmentState,
    FacialReaction,
    ReactorState,
    SpeakerBehaviour,
)
from rclpy.serialization import deserialize_message, serialize_message

from perreactor_model import contract
from perreactor_model.streaming.frames import Reaction, SpeakerFrame
from perreactor_ros import messages
from perreactor_ros.audio_types import ChunkAdapter
from perreactor_ros.image_messages import raw_image

STAMP = 1_700_000_000_040_000_001


def random_reaction(seed: int = 0) -> Reaction:
    random = np.random.default_rng(seed)
    return Reaction(
        robot="robot_a",
        profile="warm",
        index=7,
        epoch=2,
        stamp_ns=STAMP,
        attributes=random.random(25, np.float32),
        coefficients=random.standard_normal(58).astype(np.float32),
        confidence=0.5,
    )


def random_frame() -> SpeakerFrame:
    random = np.random.default_rng(1)
    return SpeakerFrame(
        index=7,
        epoch=2,
        stamp_ns=STAMP,
        token=random.standard_normal(128).astype(np.float32),
        face_present=True,
        voice_present=False,
        speaker_id="anna",
        attributes=random.random(25, np.float32),
    )


def over_the_wire(message):
    return deserialize_message(serialize_message(message), type(message))


def test_a_reaction_survives_the_way_through_a_message():
    sent = random_reaction()
    message = over_the_wire(
        messages.reaction_message(sent, "bundle-0", "anna", "camera", latency=0.03)
    )
    received = messages.reaction(message)
    np.testing.assert_array_equal(received.attributes, sent.attributes)
    np.testing.assert_array_equal(received.coefficients, sent.coefficients)
    assert (received.robot, received.profile) == ("robot_a", "warm")
    assert (received.index, received.epoch, received.stamp_ns) == (7, 2, STAMP)
    assert (message.speaker_id, message.model_id) == ("anna", "bundle-0")
    assert message.header.frame_id == "camera"
    assert message.latency == pytest.approx(0.03)


def test_the_parts_of_a_reaction_stand_where_the_contract_says():
    sent = random_reaction()
    message = messages.reaction_message(sent, "bundle-0")
    assert message.action_units[FacialReaction.AU12] == sent.attributes[7]
    assert message.valence == sent.attributes[contract.VALENCE]
    assert message.expressions[FacialReaction.CONTEMPT] == sent.attributes[24]
    assert message.face_3dmm[FacialReaction.ROTATION_X] == sent.coefficients[52]
    assert np.isnan(message.latency), "offline there is no latency"


def test_speaker_behaviour_survives_the_way_through_a_message():
    sent = random_frame()
    message = over_the_wire(messages.behaviour_message(sent, "bundle-0", "camera"))
    received = messages.speaker_frame(message)
    np.testing.assert_array_equal(received.token, sent.token)
    np.testing.assert_array_equal(received.attributes, sent.attributes)
    assert np.isnan(received.coefficients).all()
    assert (received.face_present, received.voice_present) == (True, False)
    assert (received.index, received.epoch, received.stamp_ns) == (7, 2, STAMP)
    assert message.attributes_known


def test_behaviour_of_which_nothing_is_known_says_so():
    frame = SpeakerFrame(0, 0, STAMP, None, False, False)
    message = over_the_wire(messages.behaviour_message(frame, ""))
    assert not message.attributes_known
    assert len(message.token) == 0
    assert messages.speaker_frame(message).token is None


@pytest.mark.parametrize("shape", [(10,), (59,), (58, 1), (1, 58), ()])
def test_coefficients_of_a_wrong_shape_never_reach_a_message(shape):
    reaction = random_reaction()
    reaction.coefficients = np.zeros(shape, np.float32)
    with pytest.raises(ValueError, match=re.escape(str(shape))):
        messages.reaction_message(reaction, "bundle-0")


def test_a_token_with_two_dimensions_never_reaches_a_message():
    frame = random_frame()
    frame.token = np.zeros((1, 128), np.float32)
    with pytest.raises(ValueError, match="token"):
        messages.behaviour_message(frame, "bundle-0")


def test_double_precision_and_strided_arrays_are_converted():
    reaction = random_reaction()
    reaction.coefficients = np.arange(116, dtype=np.float64)[::2]
    message = messages.reaction_message(reaction, "bundle-0")
    assert message.face_3dmm.dtype == np.float32
    np.testing.assert_array_equal(message.face_3dmm, np.arange(0, 116, 2))


def test_a_message_keeps_its_values_when_the_array_is_used_again():
    reaction = random_reaction()
    message = messages.reaction_message(reaction, "bundle-0")
    first = message.action_units[0]
    reaction.attributes[0] = 99.0
    assert message.action_units[0] == first


def test_an_image_survives_the_way_through_a_message():
    rgb = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    message = over_the_wire(messages.image_message(rgb, STAMP, "camera"))
    np.testing.assert_array_equal(raw_image(message).rgb(), rgb)
    assert messages.nanoseconds(message.header.stamp) == STAMP


def test_an_image_that_is_not_rgb_is_refused():
    with pytest.raises(ValueError, match="uint8"):
        messages.image_message(np.zeros((6, 8), np.uint8), STAMP)


def test_sound_survives_the_way_through_a_message():
    samples = np.random.default_rng(0).uniform(-1, 1, (320, 2)).astype(np.float32)
    message = over_the_wire(messages.audio_message(samples, STAMP, 16000))
    sound = ChunkAdapter().read(message)
    np.testing.assert_array_equal(sound.samples, samples)
    assert (sound.rate, sound.stamp_ns) == (16000, STAMP)


def test_a_stamp_before_1970_becomes_zero_instead_of_an_error():
    assert messages.nanoseconds(messages.stamp(-5)) == 0


def test_constants_of_the_messages_follow_the_contract():
    for index, name in enumerate(contract.ACTION_UNITS):
        assert getattr(FacialReaction, name) == getattr(SpeakerBehaviour, name) == index
    for index, name in enumerate(contract.EXPRESSIONS):
        assert getattr(FacialReaction, name.upper()) == index
        assert getattr(SpeakerBehaviour, name.upper()) == contract.EXPRESSION_SLICE.start + index
    for index, name in enumerate(contract.COEFFICIENTS):
        if not name.startswith("expression"):
            assert getattr(FacialReaction, name.upper()) == index
    assert FacialReaction.FRAME_RATE == contract.FRAME_RATE


def test_every_field_of_every_message_says_what_it_is():
    folder = Path(__file__).parents[2] / "msg"
    for type_ in (AudioChunk, EnrolmentState, FacialReaction, ReactorState, SpeakerBehaviour):
        lines = (folder / f"{type_.__name__}.msg").read_text().splitlines()
        for field in type_.get_fields_and_field_types():
            (line,) = [each for each in lines if re.match(rf"\S+ +{field}\b", each)]
            assert "#" in line, f"{type_.__name__}.{field} has no comment"
