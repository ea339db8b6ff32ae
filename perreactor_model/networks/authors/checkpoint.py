"""Strict import of the authors' checkpoint files, without unpickling any code."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import Tensor

from perreactor_model.networks.authors.network import AuthorsNetwork
from perreactor_model.networks.authors.sizes import (
    HEADS,
    HISTORY_FRAMES,
    INTEGRATIONS,
    AuthorsSizes,
)

_GENERIC = "general_branch."
_PATTERN = "person_branch."

_NAMES = (
    ("speaker_behaviour_encoder.video_encoder.Conv3D.", "encoder.convolutions."),
    ("speaker_behaviour_encoder.video_encoder.fc.", "encoder.image."),
    ("speaker_behaviour_encoder.audio_feature_map.", "encoder.audio."),
    ("speaker_behaviour_encoder.fusion_layer.", "encoder.fusion."),
    ("reaction_decoder.vae_model.mu_token", "distribution.mean_token"),
    ("reaction_decoder.vae_model.logvar_token", "distribution.log_variance_token"),
    ("reaction_decoder.vae_model.linear.", "distribution.tokens."),
    ("reaction_decoder.vae_model.seqTransEncoder.layers.0.", "distribution.layer."),
    ("reaction_decoder.listener_reaction_decoder_1.layers.0.", "decoder.first."),
    ("reaction_decoder.listener_reaction_decoder_2.layers.0.", "decoder.second."),
    ("reaction_decoder.person_specific_reaction_decoder.layers.0.", "decoder.personal."),
    ("reaction_decoder.listener_reaction_3dmm_map_layer.", "decoder.coefficients."),
    ("reaction_decoder.listener_reaction_emotion_map_layer.", "decoder.attributes."),
    ("reaction_decoder.concat.", "decoder.concat."),
    ("reaction_decoder.raw_beta", "decoder.raw_beta"),
    ("reaction_decoder.PE.pe", "decoder.positions"),
    ("fusion.", "idle_fusion."),
)
_PATTERN_NAMES = (
    ("listener_behaviour_encoder.", "pattern.behaviour."),
    ("cross_attn.linear_q.", "pattern.attention.query."),
    ("cross_attn.linear_k.", "pattern.attention.key."),
    ("cross_attn.linear_v.", "pattern.attention.value."),
    ("temporal_layer.", "pattern.time."),
)
"""Beginnings of tensor names: in the file, and here."""

_SHOWN = 6
"""Names listed in an error before the rest is only counted."""


class AuthorsCheckpointError(ValueError):
    """A file that is not a checkpoint of the authors' generator, or not a whole one."""


def is_authors_checkpoint(contents: object) -> bool:
    """Whether what `torch.load` returned looks like a checkpoint of the authors' code."""
    if not isinstance(contents, dict) or not isinstance(contents.get("state_dict"), dict):
        return False
    known = ("speaker_behaviour_encoder.", "reaction_decoder.", _GENERIC, _PATTERN)
    return any(str(name).startswith(known) for name in contents["state_dict"])


def read_tensors(path: Path) -> object:
    """What a .pth file holds, as long as that is only tensors, numbers, strings and containers.

    Raises AuthorsCheckpointError for anything else: loading it could run foreign code.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise AuthorsCheckpointError(
            f"{path} is no torch file of tensors, or holds Python objects beside them and is "
            "therefore not loaded (that could run code): save it as "
            "{'state_dict': model.state_dict()}"
        ) from error
    except (RuntimeError, EOFError, KeyError, ValueError) as error:
        raise AuthorsCheckpointError(f"{path} cannot be read as a torch file: {error}") from error


def load_authors_checkpoint(path: Path, integration: str | None = None) -> AuthorsNetwork:
    """Read a checkpoint file and build its network, in evaluation mode.

    `integration` names the way of integration where the weights do not tell (`self-attn` or
    `residual`). Raises AuthorsCheckpointError, OSError.
    """
    contents = read_tensors(path)
    if not is_authors_checkpoint(contents):
        raise AuthorsCheckpointError(
            f"{path} is no checkpoint of the authors' generator: expected a dictionary whose "
            "'state_dict' has tensors named 'speaker_behaviour_encoder...' and "
            "'reaction_decoder...' (stage 1), or those after 'general_branch.' and "
            "'person_branch...' (PAG)"
        )
    assert isinstance(contents, dict)
    try:
        return network_from_tensors(contents["state_dict"], integration)
    except AuthorsCheckpointError as error:
        raise AuthorsCheckpointError(f"{path}: {error}") from None


def network_from_tensors(
    tensors: dict[str, Tensor], integration: str | None = None
) -> AuthorsNetwork:
    """Build the network that a state dictionary in the authors' naming describes.

    Sizes are read from the tensors' shapes; every tensor must be there, none may be left over, all
    must have the shape that follows. Raises AuthorsCheckpointError.
    """
    _check_values(tensors)
    sizes = _read_sizes(tensors, integration)
    with torch.device("meta"):
        network = AuthorsNetwork(sizes)
    names = {name: _name_in_file(name, sizes) for name in network.state_dict()}
    expected = {names[name]: tuple(t.shape) for name, t in network.state_dict().items()}
    _compare(expected, {name: tuple(tensor.shape) for name, tensor in tensors.items()})
    own = {ours: tensors[theirs].detach().float() for ours, theirs in names.items()}
    network.load_state_dict(own, strict=True, assign=True)
    return network.eval().requires_grad_(False)


def tensors_of_network(network: AuthorsNetwork) -> dict[str, Tensor]:
    """The network's tensors in the authors' naming: the inverse of `network_from_tensors`."""
    own = network.state_dict()
    return {_name_in_file(name, network.sizes): tensor for name, tensor in own.items()}


def _name_in_file(name: str, sizes: AuthorsSizes) -> str:
    branch = _GENERIC if sizes.pattern_exponent is not None else ""
    for table, prefix in ((_NAMES, branch), (_PATTERN_NAMES, _PATTERN)):
        for theirs, ours in table:
            if name.startswith(ours):
                return prefix + theirs + name[len(ours) :]
    raise AssertionError(f"tensor {name} has no name in the authors' files")


def _check_values(tensors: dict[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            raise AuthorsCheckpointError(f"'{name}' is no tensor of floating-point numbers")
        if not bool(tensor.isfinite().all()):
            raise AuthorsCheckpointError(f"tensor '{name}' holds NaN or infinite numbers")


def _read_sizes(tensors: dict[str, Tensor], integration: str | None) -> AuthorsSizes:
    personal = any(name.startswith((_GENERIC, _PATTERN)) for name in tensors)
    branch = _GENERIC if personal else ""
    token = _required(tensors, branch + "reaction_decoder.vae_model.mu_token")
    size = token.numel()
    if token.dim() != 1 or size == 0 or size % HEADS:
        raise AuthorsCheckpointError(
            f"'{branch}reaction_decoder.vae_model.mu_token' has shape {tuple(token.shape)}: "
            f"expected one axis, the feature size, a multiple of {HEADS} (the number of heads)"
        )
    exponent = _read_exponent(tensors, size) if personal else None
    return AuthorsSizes(size, exponent, _read_integration(tensors, branch, integration))


def _read_exponent(tensors: dict[str, Tensor], size: int) -> int:
    """K from the pattern encoder's last part, which takes one whole segment of 480 / 2^K frames."""
    name = _PATTERN + "temporal_layer.0.weight"
    shape = tuple(_required(tensors, name).shape)
    exponents = [k for k in range(1, 6) if HISTORY_FRAMES % 2**k == 0]
    for exponent in exponents:
        if shape == (2 * size, (HISTORY_FRAMES >> exponent) * size):
            return exponent
    widths = ", ".join(f"{(HISTORY_FRAMES >> k) * size} (K={k})" for k in exponents)
    raise AuthorsCheckpointError(
        f"'{name}' has shape {shape}, which fits no K: with feature size {size} expected "
        f"({2 * size}, W) with W one of {widths}"
    )


def _read_integration(tensors: dict[str, Tensor], branch: str, integration: str | None) -> str:
    """Seen in the tensors, except that `self-attn` and `residual` have the same ones."""
    if integration is not None and integration not in INTEGRATIONS:
        raise AuthorsCheckpointError(
            f"unknown integration '{integration}': choose one of {', '.join(INTEGRATIONS)}"
        )
    decoder = branch + "reaction_decoder."
    if any(name.startswith(decoder + "person_specific_reaction_decoder.") for name in tensors):
        possible: tuple[str, ...] = ("self-attn", "residual")
    elif decoder + "raw_beta" in tensors:
        possible = ("summation_beta",)
    elif any(name.startswith(decoder + "concat.") for name in tensors):
        possible = ("concat",)
    else:
        possible = ("summation",)
    if integration is None and len(possible) == 1:
        return possible[0]
    if integration in possible:
        return integration
    if integration is None:
        raise AuthorsCheckpointError(
            "these weights belong to the integration 'self-attn' or to 'residual', which have the "
            "same tensors: say which"
        )
    raise AuthorsCheckpointError(
        f"integration '{integration}' asked for, but the tensors are those of "
        f"{' or '.join(possible)}"
    )


def _required(tensors: dict[str, Tensor], name: str) -> Tensor:
    if name not in tensors:
        raise AuthorsCheckpointError(f"tensor '{name}' is missing")
    return tensors[name]


def _compare(expected: dict[str, tuple[int, ...]], found: dict[str, tuple[int, ...]]) -> None:
    problems = []
    missing = [f"'{name}' {expected[name]}" for name in expected if name not in found]
    unknown = [f"'{name}' {found[name]}" for name in found if name not in expected]
    misshapen = [
        f"'{name}' has shape {found[name]}, expected {shape}"
        for name, shape in expected.items()
        if name in found and found[name] != shape
    ]
    for title, entries in (
        ("missing tensors", missing),
        ("unexpected tensors", unknown),
        ("misshapen tensors", misshapen),
    ):
        if entries:
            rest = f" and {len(entries) - _SHOWN} more" if len(entries) > _SHOWN else ""
            problems.append(f"{title}: {', '.join(entries[:_SHOWN])}{rest}")
    if problems:
        raise AuthorsCheckpointError("; ".join(problems))
