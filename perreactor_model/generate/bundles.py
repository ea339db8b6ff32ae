"""Reactions of our own networks from a bundle's graphs; torch is not needed."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from perreactor_model.bundle.manifest import Bundle
from perreactor_model.contract import ATTRIBUTE_COUNT, COEFFICIENT_COUNT, FRAME_NS
from perreactor_model.generate.inputs import GenerationInput
from perreactor_model.generate.options import GenerationOptions, clip_name, offline_noise
from perreactor_model.generate.present import (
    has_speaker,
    pattern_weight,
    usable_history,
    visual_of,
    voice_of,
)
from perreactor_model.profiles import GENERIC, ListenerProfile
from perreactor_model.streaming.engine import EngineSettings, ReactionEngine
from perreactor_model.streaming.frames import SpeakerFrame
from perreactor_model.streaming.runtime import load_graph

if TYPE_CHECKING:
    import onnxruntime

_Faces = tuple[np.ndarray, np.ndarray]
"""Coefficients (..., 58) and attributes (..., 25)."""

_log = logging.getLogger(__name__)


class BundleGenerator:
    """A bundle's graphs.

    Offline every frame of the clip is in view of the distribution; the aligned decoder keeps its
    window. The stream is that of the robots: `ReactionEngine`, with its wakening from neutral.
    What is not in the input (face or voice, or NaN in a frame of either) counts as absent.
    """

    def __init__(self, bundle: Bundle, options: GenerationOptions) -> None:
        self._bundle = bundle
        self._config = bundle.config
        self._device = options.device
        self.feature_size = bundle.config.feature_size
        self.source = f"bundle {bundle.model_id}"
        if not bundle.trained:
            _log.warning("%s is not trained: judge liveness, not sense", bundle.model_id)

    def offline(self, given: GenerationInput, options: GenerationOptions) -> dict[str, np.ndarray]:
        """See `Generator`. The noise is given back as `noise` where it was drawn here."""
        results = self._patterns(given)
        if not has_speaker(given, self._config):
            return results
        samples = given.samples(options.samples)
        noise = offline_noise(given, options, samples, self.feature_size)
        results["encoded"] = self._encode(given, options)
        distribution = self._graph("distribution")
        clips = [self._distribution_of(distribution, clip) for clip in results["encoded"]]
        results["mu"] = np.stack([clip["mean"][-1] for clip in clips])
        results["sigma"] = np.stack([clip["deviation"][-1] for clip in clips])
        latent = np.repeat(results["mu"], samples, 0)
        latent = latent + np.repeat(results["sigma"], samples, 0) * noise
        latents = {"generic": latent}
        if "pattern" in results:
            shift = np.float32(pattern_weight(given, options, self._config)) * results["pattern"]
            latents["personal"] = latent + np.repeat(shift, samples, 0)
        for kind, rows in latents.items():
            decoder = self._graph(f"decoder_{kind}")
            tracked = options.track(enumerate(rows), len(rows), "reaction")
            faces = [
                self._decode(decoder, kind, row, clips[index // samples]) for index, row in tracked
            ]
            results[f"{kind}_3dmm"] = np.stack([face[0] for face in faces])
            results[f"{kind}_attributes"] = np.stack([face[1] for face in faces])
        if given.noise is None:
            results["noise"] = noise
        return results

    def stream(self, given: GenerationInput, options: GenerationOptions) -> dict[str, np.ndarray]:
        """See `Generator`. `mu` and `sigma` are not among the results: the engine keeps them."""
        results = self._patterns(given)
        if not has_speaker(given, self._config):
            return results
        results["encoded"] = self._encode(given, options)
        settings = EngineSettings(
            device=options.device,
            window=options.window or 0,
            seed=options.seed,
            beta=pattern_weight(given, options, self._config),
            noise_seconds=options.noise_seconds,
        )
        kinds = ["generic"] + (["personal"] if "pattern" in results else [])
        with tempfile.TemporaryDirectory() as folder:
            self._save_profiles(results.get("pattern"), Path(folder))
            for kind in kinds:
                clips = options.track(range(given.clips), given.clips, "clip")
                faces = [
                    self._stream_clip(
                        ReactionEngine(self._bundle, settings, [Path(folder)]),
                        kind,
                        clip,
                        given,
                        results["encoded"][clip],
                        options,
                    )
                    for clip in clips
                ]
                results[f"{kind}_3dmm"] = np.concatenate([face[0] for face in faces])
                results[f"{kind}_attributes"] = np.concatenate([face[1] for face in faces])
        return results

    # --- Speaker and listener -------------------------------------------------------------------

    def _encode(self, given: GenerationInput, options: GenerationOptions) -> np.ndarray:
        """Tokens (N, T, d), frame by frame as on a robot."""
        session = self._graph("frame_encoder")
        name, visual, face = visual_of(given, self._config)
        audio, voice = voice_of(given)
        tokens = np.empty((given.clips, given.frames, self.feature_size), np.float32)
        steps = list(np.ndindex(given.clips, given.frames))
        for clip, frame in options.track(steps, len(steps), "frame"):
            one = (clip, slice(frame, frame + 1))
            feed = {name: np.ascontiguousarray(visual[one]), "audio": audio[one]}
            feed |= {"face_present": face[one], "voice_present": voice[one]}
            tokens[one] = session.run(["token"], feed)[0]
        return tokens

    def _distribution_of(
        self, session: onnxruntime.InferenceSession, tokens: np.ndarray
    ) -> dict[str, np.ndarray]:
        """All that the distribution's graph says of a whole clip (T, d)."""
        frames, heads, width = len(tokens), self._config.heads, self._config.head_size
        feed = {
            "token": tokens,
            "frame": np.arange(frames),
            "band": np.array(frames, np.int64),
            "slot_frame": np.zeros(0, np.int64),
            "key": np.zeros((heads, width, 0), np.float32),
            "value": np.zeros((heads, 0, width), np.float32),
        }
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, feed), strict=True))

    def _patterns(self, given: GenerationInput) -> dict[str, np.ndarray]:
        history = usable_history(given, self._config)
        if history is None:
            return {}
        session = self._graph("pattern_encoder")
        patterns = [session.run(["pattern"], {"history": rows})[0] for rows in history]
        return {"pattern": np.stack(patterns)}

    def _save_profiles(self, patterns: np.ndarray | None, folder: Path) -> None:
        for clip, pattern in enumerate(() if patterns is None else patterns):
            ListenerProfile(_profile_name(clip), self._bundle.model_id, pattern).save(folder)

    # --- Reactions -------------------------------------------------------------------------------

    def _decode(
        self,
        session: onnxruntime.InferenceSession,
        kind: str,
        latent: np.ndarray,
        clip: dict[str, np.ndarray],
    ) -> _Faces:
        """One sample's reaction to a whole clip from its one latent (d,)."""
        frames, config = len(clip["mean"]), self._config
        heads, width = config.heads, config.head_size
        numbers = np.arange(frames)
        empty = np.zeros((1, 0), np.int64)
        feed = {"latent": np.ascontiguousarray(np.broadcast_to(latent, (1, frames, len(latent))))}
        if config.decoder == "aligned":
            feed |= {"frame": numbers, "band": np.array(config.window, np.int64)}
            feed |= {"speaker_frame": numbers, "own_frame": empty}
        else:
            feed |= {"position": numbers[None], "own_position": empty}
        for layer in range(config.decoder_layers):
            if config.decoder == "aligned":
                feed[f"speaker_key_{layer}"] = clip[f"{kind}_new_key_{layer}"]
                feed[f"speaker_value_{layer}"] = clip[f"{kind}_new_value_{layer}"]
            feed[f"own_key_{layer}"] = np.zeros((1, heads, width, 0), np.float32)
            feed[f"own_value_{layer}"] = np.zeros((1, heads, 0, width), np.float32)
        coefficients, attributes = session.run(["coefficients", "attributes"], feed)
        return coefficients[0], attributes[0]

    def _stream_clip(
        self,
        engine: ReactionEngine,
        kind: str,
        clip: int,
        given: GenerationInput,
        encoded: np.ndarray,
        options: GenerationOptions,
    ) -> _Faces:
        """All samples' reactions to one clip (T, d) by an engine that has seen nothing else.

        Generic and personal reactions are had one after the other, with the same noise.
        """
        samples, name = given.samples(options.samples), clip_name(clip)
        profile = GENERIC if kind == "generic" else _profile_name(clip)
        for sample in range(samples):
            held = given.noise_of(clip, sample, samples, self.feature_size)
            engine.add_robot(name, profile, sample, held)
        face, voice = visual_of(given, self._config)[2][clip], voice_of(given)[1][clip]
        coefficients = np.empty((samples, given.frames, COEFFICIENT_COUNT), np.float32)
        attributes = np.empty((samples, given.frames, ATTRIBUTE_COUNT), np.float32)
        for frame, token in enumerate(encoded):
            seen = SpeakerFrame(
                frame, 0, frame * FRAME_NS, token, bool(face[frame]), bool(voice[frame])
            )
            for sample, reaction in enumerate(engine.push([seen])):
                coefficients[sample, frame] = reaction.coefficients
                attributes[sample, frame] = reaction.attributes
        return coefficients, attributes

    def _graph(self, name: str) -> onnxruntime.InferenceSession:
        return load_graph(self._bundle, name, self._device)


def _profile_name(clip: int) -> str:
    return f"history_{clip}"
