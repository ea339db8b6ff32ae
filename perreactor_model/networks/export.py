"""Networks to ONNX graphs, each checked against torch while it is written.

Five graphs make a bundle (`GRAPH_FILES`). All sizes but those of the configuration are dynamic, and
a cache may be empty. Caches are inputs; only what new frames add to them is an output.
"""

import logging
import shutil
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from perreactor_model.contract import AUDIO_FEATURE_COUNT, SPEAKER_VECTOR_COUNT
from perreactor_model.networks.config import EMPTY_FRAME, ModelConfig
from perreactor_model.networks.decoders import AlignedDecoder, PaperDecoder
from perreactor_model.networks.generator import ReactionGenerator

OPSET = 20
TOLERANCE = 1e-4

DYNAMIC = torch.export.Dim.DYNAMIC

Axes = tuple[dict[int, Any], ...]
"""Dynamic axes of each argument."""


class ExportError(ValueError):
    """A graph that does not compute what torch computes."""


class Graph(NamedTuple):
    """A module to export: its arguments (tensors and lists of tensors) and what they are called.

    `arguments` makes inputs for (lanes, new frames, cache slots); `dynamic` names the dynamic axes
    of each argument, a list argument having the same for each of its tensors.
    """

    module: nn.Module
    inputs: list[str]
    outputs: list[str]
    arguments: Callable[[int, int, int], tuple[Any, ...]]
    dynamic: Axes


class _SpeakerSide(nn.Module):
    """The distribution, and the keys and values under which decoders remember the new frames."""

    def __init__(self, generator: ReactionGenerator) -> None:
        super().__init__()
        self.distribution = generator.distribution
        self.generic = generator.decoder_generic
        self.personal = generator.decoder_personal

    def forward(
        self,
        token: Tensor,
        frame: Tensor,
        band: Tensor,
        slot_frame: Tensor,
        key: Tensor,
        value: Tensor,
    ) -> tuple[Tensor, ...]:
        outputs = list(self.distribution(token, frame, band, slot_frame, key, value))
        for decoder in (self.generic, self.personal):
            if isinstance(decoder, AlignedDecoder):
                keys, values = decoder.remember_speaker(token)
                outputs += [*keys, *values]
        return tuple(outputs)


class _AlignedStep(nn.Module):
    def __init__(self, decoder: AlignedDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(
        self,
        latent: Tensor,
        frame: Tensor,
        band: Tensor,
        speaker_frame: Tensor,
        speaker_keys: list[Tensor],
        speaker_values: list[Tensor],
        own_frame: Tensor,
        own_keys: list[Tensor],
        own_values: list[Tensor],
    ) -> tuple[Tensor, ...]:
        speaker, own = (speaker_keys, speaker_values), (own_keys, own_values)
        step = self.decoder(latent, frame, band, speaker_frame, speaker, own_frame, own)
        return step.coefficients, step.attributes, *step.own_keys, *step.own_values


class _PaperStep(nn.Module):
    def __init__(self, decoder: PaperDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(
        self,
        latent: Tensor,
        position: Tensor,
        own_position: Tensor,
        own_keys: list[Tensor],
        own_values: list[Tensor],
    ) -> tuple[Tensor, ...]:
        step = self.decoder(latent, position, own_position, (own_keys, own_values))
        return step.coefficients, step.attributes, *step.own_keys, *step.own_values


def export_graphs(generator: ReactionGenerator, folder: Path) -> list[Path]:
    """Write the five graphs of `generator` into `folder` and return their paths.

    Raises ExportError when onnxruntime and torch differ by more than 1e-4 on any of several sizes.
    """
    generator = generator.eval()
    same = _same_weights(generator.decoder_generic, generator.decoder_personal)
    paths = []
    for name in _graphs(generator):
        path = folder / f"{name}.onnx"
        if same and name == "decoder_personal":
            shutil.copyfile(folder / "decoder_generic.onnx", path)
        else:
            export_graph(generator, name, path)
        paths.append(path)
    return paths


def export_graph(generator: ReactionGenerator, name: str, path: Path) -> None:
    """Write one of the five graphs to `path` and check it; raises ExportError as above."""
    graph = _graphs(generator)[name]
    _export(graph, path)
    check_graph(generator, name, path)


def check_graph(generator: ReactionGenerator, name: str, path: Path) -> None:
    """Raise ExportError unless the file at `path` computes what `generator` does."""
    _check(_graphs(generator)[name], path)


def _same_weights(one: nn.Module, other: nn.Module) -> bool:
    """Before the second stage of training both decoders are the same, and so are their graphs."""
    weights = other.state_dict()
    return all(torch.equal(value, weights[name]) for name, value in one.state_dict().items())


def _graphs(generator: ReactionGenerator) -> dict[str, Graph]:
    config = generator.config
    return {
        "frame_encoder": _frame_encoder(generator, config),
        "distribution": _distribution(generator, config),
        "decoder_generic": _decoder(generator.decoder_generic, config),
        "decoder_personal": _decoder(generator.decoder_personal, config),
        "pattern_encoder": _pattern_encoder(generator, config),
    }


def _frame_encoder(generator: ReactionGenerator, config: ModelConfig) -> Graph:
    image = config.visual_input == "face_image"
    shape = (3, config.image_size, config.image_size) if image else (SPEAKER_VECTOR_COUNT,)

    def arguments(lanes: int, frames: int, slots: int) -> tuple[Any, ...]:
        visual = torch.rand(frames, *shape) * 2 - 1
        present = torch.arange(frames)
        return visual, torch.randn(frames, AUDIO_FEATURE_COUNT), present != 1, present != 2

    frames = {0: DYNAMIC}
    inputs = ["image" if image else "attributes", "audio", "face_present", "voice_present"]
    return Graph(generator.frame_encoder, inputs, ["token"], arguments, (frames,) * 4)


def _distribution(generator: ReactionGenerator, config: ModelConfig) -> Graph:
    heads, width = config.heads, config.head_size

    def arguments(lanes: int, frames: int, slots: int) -> tuple[Any, ...]:
        return (
            torch.randn(frames, config.feature_size),
            torch.arange(slots, slots + frames),
            torch.tensor(config.window),
            _slot_numbers(slots),
            torch.randn(heads, width, slots),
            torch.randn(heads, slots, width),
        )

    outputs = ["mean", "deviation", "new_key", "new_value"]
    if config.decoder == "aligned":
        for decoder in ("generic", "personal"):
            outputs += _per_layer(f"{decoder}_new_key", config)
            outputs += _per_layer(f"{decoder}_new_value", config)
    inputs = ["token", "frame", "band", "slot_frame", "key", "value"]
    new, slots = DYNAMIC, DYNAMIC
    dynamic: Axes = ({0: new}, {0: new}, {}, {0: slots}, {2: slots}, {1: slots})
    return Graph(_SpeakerSide(generator), inputs, outputs, arguments, dynamic)


def _decoder(decoder: AlignedDecoder | PaperDecoder, config: ModelConfig) -> Graph:
    heads, width, layers = config.heads, config.head_size, config.decoder_layers
    lane, new, speaker, own = DYNAMIC, DYNAMIC, DYNAMIC, DYNAMIC
    own_inputs = [*_per_layer("own_key", config), *_per_layer("own_value", config)]
    outputs = ["coefficients", "attributes"]
    outputs += [*_per_layer("own_new_key", config), *_per_layer("own_new_value", config)]
    own_dynamic = ({0: lane, 1: own}, {0: lane, 3: own}, {0: lane, 2: own})

    def own_arguments(lanes: int, slots: int) -> tuple[Any, ...]:
        keys = [torch.randn(lanes, heads, width, slots) for _ in range(layers)]
        values = [torch.randn(lanes, heads, slots, width) for _ in range(layers)]
        return _slot_numbers(slots).expand(lanes, slots).contiguous(), keys, values

    if isinstance(decoder, PaperDecoder):

        def paper_arguments(lanes: int, frames: int, slots: int) -> tuple[Any, ...]:
            position = torch.arange(slots, slots + frames).expand(lanes, frames).contiguous()
            latent = torch.randn(lanes, frames, config.feature_size)
            return latent, position, *own_arguments(lanes, slots)

        inputs = ["latent", "position", "own_position", *own_inputs]
        axes: Axes = ({0: lane, 1: new}, {0: lane, 1: new}, *own_dynamic)
        return Graph(_PaperStep(decoder), inputs, outputs, paper_arguments, axes)

    def arguments(lanes: int, frames: int, slots: int) -> tuple[Any, ...]:
        seen = slots + frames
        keys = [torch.randn(heads, width, seen) for _ in range(layers)]
        values = [torch.randn(heads, seen, width) for _ in range(layers)]
        frame = torch.arange(slots, seen)
        speaker_frame = torch.cat([_slot_numbers(slots), frame])
        latent = torch.randn(lanes, frames, config.feature_size)
        band = torch.tensor(config.window)
        own = own_arguments(lanes, slots)
        return latent, frame, band, speaker_frame, keys, values, *own

    inputs = ["latent", "frame", "band", "speaker_frame", *_per_layer("speaker_key", config)]
    inputs += [*_per_layer("speaker_value", config), "own_frame", *own_inputs]
    dynamic: Axes = (
        {0: lane, 1: new},
        {0: new},
        {},
        {0: speaker},
        {2: speaker},
        {1: speaker},
        *own_dynamic,
    )
    return Graph(_AlignedStep(decoder), inputs, outputs, arguments, dynamic)


def _pattern_encoder(generator: ReactionGenerator, config: ModelConfig) -> Graph:
    def arguments(lanes: int, frames: int, slots: int) -> tuple[Any, ...]:
        return (torch.rand(config.segments * (frames + 1) + slots, config.pattern_channels),)

    dynamic: Axes = ({0: DYNAMIC},)
    return Graph(generator.pattern_encoder, ["history"], ["pattern"], arguments, dynamic)


def _per_layer(name: str, config: ModelConfig) -> list[str]:
    return [f"{name}_{layer}" for layer in range(config.decoder_layers)]


def _slot_numbers(slots: int) -> Tensor:
    """Frames 0..S-1 of a cache, the first quarter of its slots empty."""
    numbers = torch.arange(slots)
    return torch.where(numbers < slots // 4, EMPTY_FRAME, numbers)


def _export(graph: Graph, path: Path) -> None:
    arguments = graph.arguments(3, 5, 7)
    dynamic = tuple(
        [axes] * len(argument) if isinstance(argument, list) else axes
        for argument, axes in zip(arguments, graph.dynamic, strict=True)
    )
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            graph.module,
            arguments,
            input_names=graph.inputs,
            output_names=graph.outputs,
            dynamic_shapes=dynamic,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
            optimize=True,
        )
    assert program is not None
    model = program.model_proto
    _strip(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _strip(model: onnx.ModelProto) -> None:
    """Remove what tells of the machine and the source lines the graph was made from."""
    del model.metadata_props[:]
    model.doc_string = ""
    graph = model.graph
    graph.doc_string = ""
    del graph.metadata_props[:]
    for part in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
    del graph.value_info[:]


def _check(graph: Graph, path: Path) -> None:
    """Compare onnxruntime with torch on sizes around every special case."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    if sorted(names) != sorted(graph.inputs):
        raise ExportError(f"{path.name} has inputs {names} instead of {graph.inputs}")
    for lanes, frames, slots in ((1, 1, 0), (1, 1, 9), (2, 3, 0), (3, 1, 16), (8, 5, 33)):
        arguments = graph.arguments(lanes, frames, slots)
        with torch.no_grad():
            expected = graph.module(*arguments)
        if isinstance(expected, Tensor):
            expected = (expected,)
        feed = dict(zip(graph.inputs, _flat(arguments), strict=True))
        found = session.run(graph.outputs, feed)
        for name, ours, theirs in zip(graph.outputs, found, expected, strict=True):
            _compare(f"{path.name}: {name}", ours, theirs.numpy(), (lanes, frames, slots))


def _compare(name: str, found: np.ndarray, expected: np.ndarray, sizes: tuple[int, ...]) -> None:
    if found.shape != expected.shape:
        raise ExportError(f"{name} has shape {found.shape} instead of {expected.shape}")
    difference = float(np.abs(found - expected).max(initial=0.0))
    if not difference <= TOLERANCE:
        lanes, frames, slots = sizes
        raise ExportError(
            f"{name} differs from torch by {difference:.2g} (limit {TOLERANCE:g}) "
            f"with {lanes} lanes, {frames} frames, {slots} slots"
        )


def _flat(arguments: Sequence[Any]) -> list[np.ndarray]:
    arrays: list[np.ndarray] = []
    for argument in arguments:
        tensors = argument if isinstance(argument, list) else [argument]
        arrays += [tensor.numpy() for tensor in tensors]
    return arrays
