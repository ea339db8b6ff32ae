"""The 78 audio features agree with the published baselines and describe each frame alone."""

from pathlib import Path

import numpy as np
import pytest

from perreactor_model.audio.features import clip_features, frame_features

GOLDEN = Path(__file__).parents[1] / "golden" / "audio_features.npz"
RATES = (8000, 11025, 12345, 16000, 22050, 32000, 44100, 48000)


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.3, 0.3, count).astype(np.float32)


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
def test_features_agree_with_the_baselines_numbers(rate):
    with np.load(GOLDEN, allow_pickle=False) as golden:
        waveform, expected = golden[f"waveform_{rate}"], golden[f"features_{rate}"]
    features = clip_features(waveform, rate)
    assert features.shape == expected.shape
    assert np.abs(features - expected).max() < 1e-3


@pytest.mark.parametrize("rate", RATES)
def test_every_microphone_rate_gives_78_finite_features(rate):
    features = frame_features(noise(round(rate / 25)), rate)
    assert features.shape == (78,)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()


def test_any_whole_rate_gives_two_steps_whichever_way_its_length_rounds():
    for rate in range(8000, 48001, 977):
        for count in {rate // 25, -(-rate // 25)}:
            assert frame_features(noise(count), rate).shape == (78,)


def test_a_clip_is_its_frames_one_by_one():
    waveform = noise(3 * 882 + 100)
    features = clip_features(waveform, 22050)
    assert features.shape == (3, 78)
    alone = frame_features(waveform[882:1764].copy(), 22050)
    assert features[1].tobytes() == alone.tobytes()


def test_a_clip_shorter_than_a_frame_has_no_rows():
    assert clip_features(noise(639), 16000).shape == (0, 78)


def test_a_clip_at_an_odd_rate_has_no_drift():
    seconds = 8
    assert len(clip_features(noise(12345 * seconds), 12345)) == 25 * seconds


def test_digital_silence_has_finite_features_and_no_change_within_the_frame():
    features = frame_features(np.zeros(640, np.float32), 16000)
    assert np.isfinite(features).all()
    assert not features[26:].any()


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.zeros(640, np.float32), 7999, "8000 to 48000"),
        (np.zeros(640, np.float32), 96000, "8000 to 48000"),
        (np.zeros(639, np.float32), 16000, "640 samples"),
        (np.zeros((640, 2), np.float32), 16000, "one dimension"),
        (np.full(640, np.nan, np.float32), 16000, "NaN"),
    ],
)
def test_a_piece_that_cannot_be_described_is_refused_with_the_reason(samples, rate, message):
    with pytest.raises(ValueError, match=message):
        frame_features(samples, rate)
