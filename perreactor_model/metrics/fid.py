"""FRRea: how far rendered reactions are from real pictures of faces, as FID.

Each picture is resized to 299 x 299 (bilinear, without smoothing) and becomes the 2048 features of
FID's Inception network; FID is the Fréchet distance between normal distributions fitted to the
features of the two folders. The steps, and so the values, are those of pytorch-fid, which the
field's tables were made with. Pictures of one folder may differ in size.

Needs torch and the weight file; neither is looked for until `frechet_inception_distance` is called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import cv2
import numpy as np

from perreactor_model.metrics.frechet import Gaussian, frechet_distance

if TYPE_CHECKING:
    import torch

    from perreactor_model.metrics.inception import FidInception

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
ENOUGH_PICTURES = 2048
"""With fewer pictures than features the covariance has no full rank and FID reads too high."""

Progress = Callable[[int, int], None]
"""Called with the pictures done and the pictures there are."""


class FidError(ValueError):
    """Folders or pictures that FID cannot be computed from. The message says what is needed."""


class Fid(TypedDict):
    """What `frechet_inception_distance` gives."""

    distance: float
    """FID, 0 for equal folders; lower is better, no upper bound."""
    rendered_pictures: int
    real_pictures: int
    warning: str | None
    """Why the value is not to be compared with others, if so."""


def frechet_inception_distance(
    rendered: Path | str,
    real: Path | str,
    checkpoint: Path | str,
    device: str = "auto",
    batch: int = 32,
    progress: Progress | None = None,
) -> Fid:
    """FID between the pictures of two folders (subfolders are not looked at).

    `checkpoint` is the file `inception.WEIGHTS_NAME` of pytorch-fid; nothing is downloaded.
    Raises FidError, CheckpointError (both ValueError), FileNotFoundError.
    """
    folders = [picture_files(folder) for folder in (rendered, real)]
    try:
        import torch  # noqa: F401
    except ImportError:
        raise FidError(
            "FRRea needs torch to run the Inception network: pip install torch"
        ) from None
    from perreactor_model.generate.devices import torch_device
    from perreactor_model.metrics.inception import load_inception

    place = torch_device(device)
    network = load_inception(checkpoint, str(place))
    total, done = sum(map(len, folders)), 0
    fitted = []
    for files in folders:
        features = []
        for some in _features(network, files, batch, place):
            features.append(some)
            done += len(some)
            if progress is not None:
                progress(done, total)
        fitted.append(Gaussian.of_samples(np.concatenate(features)))
    counts = [len(files) for files in folders]
    return {
        "distance": frechet_distance(*fitted),
        "rendered_pictures": counts[0],
        "real_pictures": counts[1],
        "warning": _warning(counts),
    }


def picture_files(folder: Path | str) -> list[Path]:
    """The pictures in a folder, by name; at least two, or FidError."""
    folder = Path(folder)
    if not folder.is_dir():
        raise FidError(f"{folder} is no folder of pictures")
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in PICTURE_ENDINGS)
    if len(files) < 2:
        below = sum(1 for file in folder.glob("*/*") if file.suffix.lower() in PICTURE_ENDINGS)
        hint = f"; its subfolders hold {below}, name one of them" if below else ""
        raise FidError(
            f"{folder} holds {len(files)} pictures ({', '.join(PICTURE_ENDINGS)}), "
            f"FID needs at least 2 and, to be compared, {ENOUGH_PICTURES}{hint}"
        )
    return files


def _warning(counts: list[int]) -> str | None:
    if min(counts) >= ENOUGH_PICTURES:
        return None
    return (
        f"{counts[0]} rendered and {counts[1]} real pictures: with fewer than {ENOUGH_PICTURES} "
        "the covariance has no full rank and FID reads too high; compare it only with values "
        "from as many pictures"
    )


def _features(
    network: FidInception, files: list[Path], batch: int, device: torch.device
) -> Iterator[np.ndarray]:
    """(up to `batch`, 2048) float32 at a time."""
    import torch

    from perreactor_model.generate.devices import exactly

    for start in range(0, len(files), batch):
        with exactly():
            some = [_network_input(file, device) for file in files[start : start + batch]]
            yield network(torch.cat(some)).cpu().numpy()


def _network_input(file: Path, device: torch.device) -> torch.Tensor:
    """A picture as (1, 3, 299, 299) in [-1, 1]."""
    import torch

    from perreactor_model.metrics.inception import PICTURE_SIZE

    # Like PIL, which the published code reads with: the camera's orientation mark is not applied.
    picture = cv2.imread(str(file), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if picture is None:
        raise FidError(f"{file} cannot be read as a picture")
    colours = torch.from_numpy(np.ascontiguousarray(picture[..., ::-1])).to(device)
    values = colours.permute(2, 0, 1)[None].float() / 255
    size = (PICTURE_SIZE, PICTURE_SIZE)
    resized = torch.nn.functional.interpolate(values, size, mode="bilinear", align_corners=False)
    return 2 * resized - 1
