"""The Fréchet distance between two normal distributions, safe where data are few.

|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)): the 2-Wasserstein distance, squared. (C1 C2)^(1/2) is
never formed. With C = F'F its trace is the sum of the singular values of F1 F2', which stays real
and exact to rounding for covariances of any rank.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Gaussian:
    """A normal distribution in D dimensions: `mean` (D,) and `factor` (R, D), covariance F'F."""

    mean: np.ndarray
    factor: np.ndarray

    @classmethod
    def from_covariance(cls, mean: np.ndarray, covariance: np.ndarray) -> "Gaussian":
        """`covariance` (D, D), symmetric; eigenvalues that rounding made negative count as 0."""
        values, vectors = np.linalg.eigh(covariance)
        return cls(mean, np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T)

    @classmethod
    def of_samples(cls, samples: np.ndarray) -> "Gaussian":
        """Fitted to `samples` (S, D), S >= 2, with the unbiased covariance."""
        samples = np.asarray(samples, np.float64)
        mean = samples.mean(axis=0)
        deviations = (samples - mean) / np.sqrt(len(samples) - 1)
        if len(samples) <= samples.shape[1]:
            return cls(mean, deviations)
        return cls.from_covariance(mean, deviations.T @ deviations)


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """The distance, squared as in FID; 0 for equal distributions, symmetric, never negative."""
    shift = float(np.sum((first.mean - second.mean) ** 2))
    overlap = np.linalg.svd(first.factor @ second.factor.T, compute_uv=False).sum()
    spread = np.sum(first.factor**2) + np.sum(second.factor**2) - 2.0 * float(overlap)
    return shift + max(float(spread), 0.0)
