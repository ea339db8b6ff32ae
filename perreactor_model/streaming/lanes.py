"""One batched decoder call a step for all robots that share a decoder.

A *lane* is one running decoding: the past of its own states, and a latent for each new frame. Most
robots have one lane; while a profile fades from GAG's decoder to PAG's, or a block of the `paper`
decoder hands over to the next, a robot has two. Lanes never see each other, so a lane's numbers do
not depend on who else is in the batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perreactor_model.networks.config import ModelConfig
from perreactor_model.streaming.window import AttentionCache

if TYPE_CHECKING:
    import onnxruntime

RobotKey = tuple[str, int]
"""Robot and sample."""

LaneKey = tuple[RobotKey, int]
"""Whose lane, and the block of the `paper` decoder that it decodes (0 for ever with `aligned`)."""


class DecoderLanes:
    """The lanes of one decoder graph, with their caches of own past states."""

    def __init__(
        self, session: onnxruntime.InferenceSession, config: ModelConfig, slots: int
    ) -> None:
        self._session = session
        self._aligned = config.decoder == "aligned"
        self._band = np.array(config.window, np.int64)
        self._layers = [str(layer) for layer in range(config.decoder_layers)]
        head_size = config.feature_size // config.heads
        self._past = AttentionCache(self._layers, config.heads, head_size, slots)
        self._keys: list[LaneKey] = []

    @property
    def keys(self) -> list[LaneKey]:
        """The lanes that run, in the order of the batch."""
        return self._keys

    def keep(self, wanted: list[LaneKey]) -> None:
        """Drop the lanes that are not wanted and start those that are new, with an empty past."""
        for key in [key for key in self._keys if key not in wanted]:
            self._past.remove_row(self._keys.index(key))
            self._keys.remove(key)
        for key in wanted:
            if key not in self._keys:
                self._past.add_row()
                self._keys.append(key)

    def clear(self) -> None:
        """Drop every lane."""
        self.keep([])

    def decode(
        self,
        frames: np.ndarray,
        latents: np.ndarray,
        positions: np.ndarray,
        speaker: AttentionCache,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Decode T new frames in every lane.

        `frames` (T,) int64; `latents` (B, T, d); `positions` (B, T) int64 within the block (`paper`
        only); `speaker` holds the keys and values of the speaker's tokens, the new ones included
        (`aligned` only). Returns coefficients (B, T, 58) and attributes (B, T, 25).
        """
        inputs = {"latent": latents}
        if self._aligned:
            inputs |= {"frame": frames, "band": self._band, "own_frame": self._past.frames}
            inputs["speaker_frame"] = speaker.frames[0]
            for name in self._layers:
                inputs[f"speaker_key_{name}"] = speaker.keys[name][0]
                inputs[f"speaker_value_{name}"] = speaker.values[name][0]
        else:
            inputs |= {"position": positions, "own_position": self._past.frames}
        for name in self._layers:
            inputs[f"own_key_{name}"] = self._past.keys[name]
            inputs[f"own_value_{name}"] = self._past.values[name]
        names = [
            "coefficients",
            "attributes",
            *(f"own_new_key_{name}" for name in self._layers),
            *(f"own_new_value_{name}" for name in self._layers),
        ]
        coefficients, attributes, *new = self._session.run(names, inputs)
        count = len(self._layers)
        self._past.write(
            frames,
            dict(zip(self._layers, new[:count], strict=True)),
            dict(zip(self._layers, new[count:], strict=True)),
            numbers=None if self._aligned else positions,
        )
        return coefficients, attributes
