"""The 78 audio features of one frame: Kaldi MFCC with deltas, as the REACT baselines compute them.

In: float32 mono samples of 1/25 s in [-1, 1]. Out: float32 (78,). Each frame is described alone, so
a frame's features never depend on its neighbours or on how the sound was cut into messages.

Source: the settings are those of torchaudio's Kaldi-compatible MFCC with `use_energy`: 13 cepstra
from 23 mel bins, 25 ms Povey windows every 10 ms, pre-emphasis 0.97, lifter 22, no dither, and an
energy floor of 1.0, which holds the energy coefficient of anything quiet at exactly 0.
"""

from functools import lru_cache

import kaldi_native_fbank as knf
import numpy as np

from perreactor_model.audio.resample import cell_bounds, check_rate
from perreactor_model.contract import AUDIO_FEATURE_COUNT, FRAME_RATE

_STEPS = 2
"""MFCC windows in a frame of 40 ms: at 0 and 10 ms; the last 5 ms are in neither."""

_DELTA_GAIN = 0.3
"""A 5-point regression delta, edges replicated, over two steps: (1 + 2) * (b - a) / 10 at both."""


@lru_cache(maxsize=64)
def _mfcc_options(rate: int) -> knf.MfccOptions:
    options = knf.MfccOptions()
    options.frame_opts.samp_freq = rate
    options.frame_opts.frame_length_ms = 25.0
    options.frame_opts.frame_shift_ms = 10.0
    options.frame_opts.preemph_coeff = 0.97
    options.frame_opts.window_type = "povey"
    options.frame_opts.dither = 0.0
    options.frame_opts.snip_edges = True
    options.mel_opts.num_bins = 23
    options.mel_opts.low_freq = 20.0
    options.mel_opts.high_freq = 0.0
    options.num_ceps = 13
    options.use_energy = True
    options.energy_floor = 1.0
    options.cepstral_lifter = 22.0
    return options


def frame_features(samples: np.ndarray, rate: int) -> np.ndarray:
    """Describe the sound of one frame.

    `samples` is float (n,) with n = rate/25 (rounded either way where that is no whole number),
    mono, in [-1, 1]; `rate` is in Hz, 8000 to 48000. Returns float32 (78,), where
    index = order*26 + coefficient*2 + step. Raises ValueError for another rate, shape or length
    and for samples that are not finite.
    """
    check_rate(rate)
    piece = np.ascontiguousarray(samples, np.float32)
    if piece.ndim != 1 or abs(piece.size * FRAME_RATE - rate) >= FRAME_RATE:
        raise ValueError(
            f"a frame of sound at {rate} Hz has {rate / FRAME_RATE:g} samples in one dimension, "
            f"got shape {np.shape(samples)}"
        )
    if not np.isfinite(piece).all():
        raise ValueError("a frame of sound holds NaN or infinite samples; replace them by 0 first")
    return _stack_orders(_mfcc(piece, rate))


def _mfcc(piece: np.ndarray, rate: int) -> np.ndarray:
    """Kaldi MFCC of one piece, float32 (2, 13).

    The extractor keeps its waveform, so a new one is made for each piece. That costs 0.1 to 0.25 ms
    and keeps this a pure function.
    """
    extractor = knf.OnlineMfcc(_mfcc_options(rate))
    extractor.accept_waveform(rate, piece)
    extractor.input_finished()
    assert extractor.num_frames_ready == _STEPS
    return np.stack([extractor.get_frame(step) for step in range(_STEPS)])


def _stack_orders(mfcc: np.ndarray) -> np.ndarray:
    """MFCC, delta and delta-delta of two steps in one vector; the delta is constant, so the
    delta-delta is 0."""
    features = np.zeros((3, mfcc.shape[1], _STEPS), np.float32)
    features[0] = mfcc.T
    features[1] = (_DELTA_GAIN * (mfcc[1] - mfcc[0]))[:, None]
    return features.reshape(AUDIO_FEATURE_COUNT)


def clip_features(waveform: np.ndarray, rate: int) -> np.ndarray:
    """Describe a whole clip, one row for each complete 1/25 s.

    `waveform` is float (n,), mono, in [-1, 1] at `rate` Hz. Returns float32 (T, 78) with
    T = floor(25 n / rate); samples after the last complete frame are left out. Errors as in
    `frame_features`.
    """
    check_rate(rate)
    samples = np.asarray(waveform, np.float32)
    if samples.ndim != 1:
        raise ValueError(f"a clip's waveform has one dimension, got shape {samples.shape}")
    rows = [
        frame_features(samples[slice(*cell_bounds(frame, rate))], rate)
        for frame in range(samples.size * FRAME_RATE // rate)
    ]
    return np.stack(rows) if rows else np.zeros((0, AUDIO_FEATURE_COUNT), np.float32)
