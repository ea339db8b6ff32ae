"""The Inception network that FID is defined with, up to its 2048 features a picture.

It is Inception v3 as TensorFlow published it in December 2015. In three points it differs from the
Inception v3 that torchvision trains: average pooling leaves padding out of the average, the last
block pools by maximum, and the weights are others. Layers are named as in the weight file of
pytorch-fid, so that file loads as it is.
"""

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

WEIGHTS_NAME = "pt_inception-2015-12-05-6726825d.pth"
"""The file that pytorch-fid releases; FID values agree between papers that use it."""

PICTURE_SIZE = 299
FEATURE_COUNT = 2048
CLASS_COUNT = 1008
"""Outputs of the network's last layer, which FID does not use; torchvision's network has 1000."""

Size = int | tuple[int, int]
Layer = tuple[str, int, Size]
"""Name, channels, kernel."""
Branch = tuple[Layer, ...]


class CheckpointError(ValueError):
    """A file that does not hold FID's Inception weights. The message names what is wrong."""


class Convolution(nn.Module):
    """Convolution without bias, batch normalisation, ReLU."""

    def __init__(
        self, inputs: int, outputs: int, kernel: Size, stride: int = 1, padding: Size = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.bn(self.conv(pictures)))


class Mixed(nn.Module):
    """Branches side by side, joined along the channels; the last one begins with pooling.

    A layer with a stride of 1 keeps the size; the last layer of a branch has the block's stride and
    then no padding. A layer whose name ends in `b` forks off: it takes the input of the layer
    before it, and both outputs are joined.
    """

    def __init__(
        self, inputs: int, branches: tuple[Branch, ...], stride: int = 1, pooling: str = "average"
    ) -> None:
        super().__init__()
        self._plan: list[list[str]] = []
        self._stride, self._pooling = stride, pooling
        for branch in branches:
            width = before = inputs
            for position, (name, outputs, kernel) in enumerate(branch):
                if not _forks(name):
                    before = width
                last = stride > 1 and position == len(branch) - 1
                layer = (
                    Convolution(before, outputs, kernel, stride)
                    if last
                    else Convolution(before, outputs, kernel, padding=_same(kernel))
                )
                self.add_module(name, layer)
                width = outputs
            self._plan.append([name for name, _, _ in branch])

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        results = []
        for plan in self._plan[:-1]:
            results += self._run(plan, pictures)
        results += self._run(self._plan[-1], self._pool(pictures))
        return torch.cat(results, dim=1)

    def _run(self, plan: list[str], value: torch.Tensor) -> list[torch.Tensor]:
        results, before = [value], value
        for name in plan:
            if _forks(name):
                results.append(self.get_submodule(name)(before))
            else:
                before = results[-1]
                results = [self.get_submodule(name)(before)]
        return results

    def _pool(self, value: torch.Tensor) -> torch.Tensor:
        if self._stride > 1:
            return functional.max_pool2d(value, 3, self._stride)
        if self._pooling == "maximum":
            return functional.max_pool2d(value, 3, 1, 1)
        return functional.avg_pool2d(value, 3, 1, 1, count_include_pad=False)


class FidInception(nn.Module):
    """Pictures (P, 3, 299, 299) in [-1, 1] to features (P, 2048)."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Convolution(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Convolution(32, 32, 3)
        self.Conv2d_2b_3x3 = Convolution(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = Convolution(64, 80, 1)
        self.Conv2d_4a_3x3 = Convolution(80, 192, 3)
        self.Mixed_5b = Mixed(192, _five(32))
        self.Mixed_5c = Mixed(256, _five(64))
        self.Mixed_5d = Mixed(288, _five(64))
        self.Mixed_6a = Mixed(288, _SIX_FIRST, stride=2)
        self.Mixed_6b = Mixed(768, _six(128))
        self.Mixed_6c = Mixed(768, _six(160))
        self.Mixed_6d = Mixed(768, _six(160))
        self.Mixed_6e = Mixed(768, _six(192))
        self.Mixed_7a = Mixed(768, _SEVEN_FIRST, stride=2)
        self.Mixed_7b = Mixed(1280, _SEVEN)
        self.Mixed_7c = Mixed(2048, _SEVEN, pooling="maximum")

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        value = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(pictures)))
        value = functional.max_pool2d(value, 3, 2)
        value = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(value))
        value = functional.max_pool2d(value, 3, 2)
        for name, block in self.named_children():
            if name.startswith("Mixed"):
                value = block(value)
        return value.mean(dim=(2, 3))


def load_inception(path: Path | str, device: str = "cpu") -> FidInception:
    """The network with the weights of `path`, ready to evaluate on `device`.

    Nothing is unpickled that could run code. Raises CheckpointError, naming what does not fit, and
    FileNotFoundError.
    """
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"there is no file {path}: FRRea needs {WEIGHTS_NAME}, which pytorch-fid releases"
        ) from None
    except Exception as error:  # torch raises half a dozen types for a file it cannot read
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{path} cannot be read as a weight file: {reason}") from error
    network = FidInception()
    _refuse_misfits(network, weights, path)
    network.load_state_dict(
        {name: weights.get(name, value) for name, value in network.state_dict().items()}
    )
    return network.eval().requires_grad_(False).to(device)


def _refuse_misfits(network: FidInception, weights: object, path: Path | str) -> None:
    """Every layer must fit; the last one, unused here, tells FID's network from torchvision's."""
    if not isinstance(weights, dict):
        raise CheckpointError(f"{path} holds no named weights: FRRea needs {WEIGHTS_NAME}")
    shapes = {
        name: tuple(value.shape)
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")  # only training looks at it; old files lack it
    }
    shapes["fc.weight"] = (CLASS_COUNT, FEATURE_COUNT)
    shapes["fc.bias"] = (CLASS_COUNT,)
    faults = []
    for name, shape in shapes.items():
        found = tuple(getattr(weights.get(name), "shape", ("none",)))
        if name not in weights:
            faults.append(f"missing {name}")
        elif found != shape:
            faults.append(f"{name} is {found} instead of {shape}")
    known = {*shapes, *network.state_dict()}
    faults += [f"unknown {name}" for name in sorted(map(str, weights)) if name not in known]
    if faults:
        shown = "; ".join(faults[:5]) + (f"; and {len(faults) - 5} more" if faults[5:] else "")
        raise CheckpointError(
            f"{path} does not hold the Inception weights of FID ({WEIGHTS_NAME}): {shown}"
        )


def _forks(name: str) -> bool:
    return name.endswith("b")


def _same(kernel: Size) -> Size:
    """The padding that keeps the size."""
    if isinstance(kernel, int):
        return kernel // 2
    return kernel[0] // 2, kernel[1] // 2


def _five(pooled: int) -> tuple[Branch, ...]:
    return (
        (("branch1x1", 64, 1),),
        (("branch5x5_1", 48, 1), ("branch5x5_2", 64, 5)),
        (("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3)),
        (("branch_pool", pooled, 1),),
    )


def _six(inner: int) -> tuple[Branch, ...]:
    wide, tall = (1, 7), (7, 1)
    return (
        (("branch1x1", 192, 1),),
        (("branch7x7_1", inner, 1), ("branch7x7_2", inner, wide), ("branch7x7_3", 192, tall)),
        (
            ("branch7x7dbl_1", inner, 1),
            ("branch7x7dbl_2", inner, tall),
            ("branch7x7dbl_3", inner, wide),
            ("branch7x7dbl_4", inner, tall),
            ("branch7x7dbl_5", 192, wide),
        ),
        (("branch_pool", 192, 1),),
    )


_SIX_FIRST: tuple[Branch, ...] = (
    (("branch3x3", 384, 3),),
    (("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3)),
    (),
)

_SEVEN_FIRST: tuple[Branch, ...] = (
    (("branch3x3_1", 192, 1), ("branch3x3_2", 320, 3)),
    (
        ("branch7x7x3_1", 192, 1),
        ("branch7x7x3_2", 192, (1, 7)),
        ("branch7x7x3_3", 192, (7, 1)),
        ("branch7x7x3_4", 192, 3),
    ),
    (),
)

_SEVEN: tuple[Branch, ...] = (
    (("branch1x1", 320, 1),),
    (("branch3x3_1", 384, 1), ("branch3x3_2a", 384, (1, 3)), ("branch3x3_2b", 384, (3, 1))),
    (
        ("branch3x3dbl_1", 448, 1),
        ("branch3x3dbl_2", 384, 3),
        ("branch3x3dbl_3a", 384, (1, 3)),
        ("branch3x3dbl_3b", 384, (3, 1)),
    ),
    (("branch_pool", 192, 1),),
)
