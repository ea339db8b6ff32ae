"""The authors' distribution of reactions: the tokens of a clip to one normal distribution."""

import torch
from torch import Tensor, nn

from perreactor_model.networks.authors.sizes import HEADS


class ClipDistribution(nn.Module):
    """Two learned tokens attend to the clip's; what becomes of them is mean and log-variance.

    The tokens carry no position: the order of the frames does not matter (paper, Eq. 1 and 2).
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.tokens = nn.Linear(size, size)
        self.mean_token = nn.Parameter(torch.randn(size))
        self.log_variance_token = nn.Parameter(torch.randn(size))
        self.layer = nn.TransformerEncoderLayer(size, HEADS, 2 * size, batch_first=True)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (N, T, size) to mean and standard deviation, (N, size) each."""
        learned = torch.stack([self.mean_token, self.log_variance_token])
        learned = learned.expand(len(tokens), -1, -1)
        hidden = self.layer(torch.cat([learned, self.tokens(tokens)], dim=1))
        return hidden[:, 0], (0.5 * hidden[:, 1]).exp()
