"""Loss of input takes the face to neutral within the set time, and it recovers."""

import pytest

from perreactor_model.streaming.presence import SpeakerPresence


def awake(frames: int = 25) -> SpeakerPresence:
    presence = SpeakerPresence(window=20, loss_seconds=0.4, decay_seconds=0.8, recover_seconds=0.4)
    for _ in range(frames):
        presence.update(True, True)
    return presence


def test_a_face_wakes_from_neutral() -> None:
    presence = awake(0)
    assert presence.gain == 0.0
    gains = []
    for _ in range(10):
        presence.update(True, True)
        gains.append(presence.gain)
    assert gains == sorted(gains)
    assert gains[-1] == 1.0


def test_full_input_over_the_whole_window_is_full_confidence() -> None:
    assert awake().confidence == pytest.approx(1.0)


def test_voice_alone_is_half_confidence() -> None:
    presence = awake()
    for _ in range(20):
        presence.update(False, True)
    assert presence.confidence == pytest.approx(0.5)
    assert not presence.lost


def test_a_short_loss_is_held_and_a_long_one_decays_to_neutral_in_time() -> None:
    presence = awake()
    for _ in range(10):  # 0.4 s
        presence.update(False, False)
    assert presence.gain == 1.0
    assert not presence.lost
    for _ in range(20):  # 0.8 s
        presence.update(False, False)
    assert presence.lost
    assert presence.gain == 0.0
    assert presence.confidence == 0.0


def test_it_recovers_and_says_so() -> None:
    presence = awake()
    for _ in range(40):
        presence.update(False, False)
    presence.update(True, False)
    assert not presence.lost
    for _ in range(10):
        presence.update(True, False)
    assert presence.gain == 1.0
