"""The part of a step that concerns the speaker only, run once however many robots listen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perreactor_model.networks.config import ModelConfig
from perreactor_model.streaming.fade import GENERIC_SOURCE, PERSONAL_SOURCE
from perreactor_model.streaming.window import AttentionCache

if TYPE_CHECKING:
    import onnxruntime

DECODERS = (GENERIC_SOURCE, PERSONAL_SOURCE)


class SpeakerSide:
    """Distribution N(mu_t, sigma_t) from the window of tokens, and what decoders attend to.

    `memory[decoder]` holds the keys and values of the speaker's tokens for each decoder's layers,
    kept up to date whether or not a robot uses that decoder, so that a robot's reaction does not
    depend on what other robots did before.
    """

    def __init__(
        self, session: onnxruntime.InferenceSession, config: ModelConfig, step: int
    ) -> None:
        self._session = session
        self._band = np.array(config.window, np.int64)
        self._layers = [str(layer) for layer in range(config.decoder_layers)]
        head_size = config.feature_size // config.heads
        self._window = AttentionCache(["window"], config.heads, head_size, config.window)
        # The first of `step` new frames still looks back a whole window, hence the extra slots.
        slots = config.window + step - 1
        self.memory = {
            decoder: AttentionCache(self._layers, config.heads, head_size, slots)
            for decoder in DECODERS
        }
        self._aligned = config.decoder == "aligned"
        for cache in (self._window, *self.memory.values()):
            cache.add_row()

    def clear(self) -> None:
        """Forget every token."""
        for cache in (self._window, *self.memory.values()):
            cache.clear()

    def step(self, frames: np.ndarray, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Take T tokens (T, d) of `frames` (T,) int64; returns mean and deviation, each (T, d)."""
        names = ["mean", "deviation", "new_key", "new_value", *self._memory_names()]
        mean, deviation, key, value, *memory = self._session.run(
            names,
            {
                "token": tokens,
                "frame": frames,
                "band": self._band,
                "slot_frame": self._window.frames[0],
                "key": self._window.keys["window"][0],
                "value": self._window.values["window"][0],
            },
        )
        self._window.write(frames, {"window": key}, {"window": value})
        arrays = dict(zip(self._memory_names(), memory, strict=True))
        if self._aligned:
            for decoder, cache in self.memory.items():
                keys = {name: arrays[f"{decoder}_new_key_{name}"] for name in self._layers}
                values = {name: arrays[f"{decoder}_new_value_{name}"] for name in self._layers}
                cache.write(frames, keys, values)
        return mean, deviation

    def _memory_names(self) -> list[str]:
        if not self._aligned:
            return []
        return [
            f"{decoder}_new_{what}_{name}"
            for decoder in DECODERS
            for what in ("key", "value")
            for name in self._layers
        ]
