"""Reactions of our own networks: a bundle's graphs, or a checkpoint exported for the occasion."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from perreactor_model.bundle.manifest import (
    Bundle,
    BundleManifest,
    file_sha256,
    write_manifest,
)
from perreactor_model.contract import (
    ATTRIBUTE_COUNT,
    AUDIO_FEATURE_COUNT,
    COEFFICIENT_COUNT,
    FRAME_NS,
)
from perreactor_model.generate.inputs import GenerationInput, InputError
from perreactor_model.generate.options import GenerationOptions, clip_name, offline_noise
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
        if not self._has_speaker(given):
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
            shift = np.float32(self._beta(given, options)) * results["pattern"]
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
        if not self._has_speaker(given):
            return results
        results["encoded"] = self._encode(given, options)
        settings = EngineSettings(
            device=options.device,
            window=options.window or 0,
            seed=options.seed,
            beta=self._beta(given, options),
            noise_seconds=options.noise_seconds,
        )
        kinds = ["generic"] + (["personal"] if "pattern" in results else [])
        with tempfile.TemporaryDirectory() as folder:
            self._save_profiles(results.get("pattern"), Path(folder))
            for kind in kinds:
                engine = ReactionEngine(self._bundle, settings, [Path(folder)])
                clips = options.track(range(given.clips), given.clips, "clip")
                faces = [
                    self._stream_clip(engine, kind, clip, given, results["encoded"], options)
                    for clip in clips
                ]
                results[f"{kind}_3dmm"] = np.concatenate([face[0] for face in faces])
                results[f"{kind}_attributes"] = np.concatenate([face[1] for face in faces])
        return results

    # --- The speaker -----------------------------------------------------------------------------

    def _has_speaker(self, given: GenerationInput) -> bool:
        """Whether anything of a speaker is there that this bundle can use."""
        face = self._config.visual_input == "face_image"
        visual = ("speaker_video",) if face else ("speaker_attributes", "speaker_3dmm")
        arrays = (getattr(given, name) for name in (*visual, "speaker_audio"))
        if any(array is not None for array in arrays):
            return True
        if given.listener_history is None or given.frames:
            given.require(visual[0], f"this bundle sees the speaker's {self._config.visual_input}")
        return False

    def _visual(self, given: GenerationInput) -> tuple[str, np.ndarray, np.ndarray]:
        """Name of the encoder's visual input, its values (N, T, ...) and where there is a face."""
        clips, frames = given.clips, given.frames
        if self._config.visual_input == "face_image":
            size = self._config.image_size
            video = given.speaker_video
            if video is None:
                shape = (clips, frames, 3, size, size)
                return "image", np.broadcast_to(np.float32(0), shape), np.zeros(shape[:2], bool)
            if video.shape[3:] != (size, size):
                raise InputError(
                    f"'speaker_video' has images of {video.shape[3]}x{video.shape[4]} pixels: "
                    f"this bundle sees {size}x{size}"
                )
            return "image", video, np.ones((clips, frames), bool)
        parts = [
            np.full((clips, frames, count), np.nan, np.float32) if part is None else part
            for part, count in (
                (given.speaker_attributes, ATTRIBUTE_COUNT),
                (given.speaker_3dmm, COEFFICIENT_COUNT),
            )
        ]
        attributes = np.concatenate(parts, axis=-1)
        return "attributes", attributes, np.isfinite(attributes).any(axis=-1)

    def _encode(self, given: GenerationInput, options: GenerationOptions) -> np.ndarray:
        """Tokens (N, T, d), frame by frame as on a robot."""
        session = self._graph("frame_encoder")
        name, visual, face = self._visual(given)
        audio, voice = _voice(given)
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

    # --- The listener ----------------------------------------------------------------------------

    def _patterns(self, given: GenerationInput) -> dict[str, np.ndarray]:
        """Patterns (N, d) of the histories, of which the newest multiple of 2^K frames counts."""
        history, config = given.listener_history, self._config
        if history is None:
            return {}
        shortest, channels = config.segments, config.pattern_channels
        if history.shape[1] < shortest or history.shape[2] != channels:
            raise InputError(
                f"'listener_history' has shape {history.shape}: expected (clips, {shortest} or "
                f"more frames, {channels}), rows of {config.pattern_input}"
            )
        kept = np.ascontiguousarray(history[:, history.shape[1] % shortest :])
        session = self._graph("pattern_encoder")
        patterns = [session.run(["pattern"], {"history": rows})[0] for rows in kept]
        return {"pattern": np.stack(patterns)}

    def _save_profiles(self, patterns: np.ndarray | None, folder: Path) -> None:
        for clip, pattern in enumerate(() if patterns is None else patterns):
            ListenerProfile(_profile_name(clip), self._bundle.model_id, pattern).save(folder)

    def _beta(self, given: GenerationInput, options: GenerationOptions) -> float:
        if options.beta is not None:
            return options.beta
        return self._config.beta if given.beta is None else given.beta

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
        """All samples' reactions to one clip; generic and personal ones get the same noise."""
        samples, name = given.samples(options.samples), clip_name(clip)
        for robot in engine.robots:
            engine.remove_robot(robot)
        engine.reset()
        profile = GENERIC if kind == "generic" else _profile_name(clip)
        for sample in range(samples):
            held = given.noise_of(clip, sample, samples, self.feature_size)
            engine.add_robot(name, profile, sample, held)
        face, voice = self._visual(given)[2][clip], _voice(given)[1][clip]
        coefficients = np.empty((samples, given.frames, COEFFICIENT_COUNT), np.float32)
        attributes = np.empty((samples, given.frames, ATTRIBUTE_COUNT), np.float32)
        for frame, token in enumerate(encoded[clip]):
            seen = SpeakerFrame(
                frame, clip, frame * FRAME_NS, token, bool(face[frame]), bool(voice[frame])
            )
            for sample, reaction in enumerate(engine.push([seen])):
                coefficients[sample, frame] = reaction.coefficients
                attributes[sample, frame] = reaction.attributes
        return coefficients, attributes

    def _graph(self, name: str) -> onnxruntime.InferenceSession:
        return load_graph(self._bundle, name, self._device)


class CheckpointGenerator(BundleGenerator):
    """A checkpoint of our own, exported to a passing bundle: one way of inference for both."""

    def __init__(self, checkpoint: Path, options: GenerationOptions) -> None:
        from perreactor_model.networks.checkpoint import load_checkpoint
        from perreactor_model.networks.export import export_graphs

        networks = load_checkpoint(checkpoint)
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        files = {path.name: file_sha256(path) for path in export_graphs(networks, folder)}
        face = np.zeros(COEFFICIENT_COUNT, np.float32)
        config = networks.config
        manifest = BundleManifest("checkpoint", True, config, face, "occurrence", files)
        write_manifest(manifest, folder)
        super().__init__(Bundle.load(folder), options)
        self.source = f"checkpoint {checkpoint}"


def _voice(given: GenerationInput) -> tuple[np.ndarray, np.ndarray]:
    """Audio features (N, T, 78), and where there is a voice (N, T)."""
    shape = (given.clips, given.frames)
    if given.speaker_audio is None:
        return np.zeros((*shape, AUDIO_FEATURE_COUNT), np.float32), np.zeros(shape, bool)
    return given.speaker_audio, np.isfinite(given.speaker_audio).all(axis=-1)


def _profile_name(clip: int) -> str:
    return f"history_{clip}"
