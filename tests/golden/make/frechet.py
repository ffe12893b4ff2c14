"""Makes frechet.json: Fréchet distances between Gaussians fitted to two small point sets.

|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), with unbiased covariances and scipy's `sqrtm` (Heusel et
al., arXiv 1706.08500). `deficient` has fewer rows than dimensions: there the trace of the root is
the sum of the roots of the eigenvalues of S1 S2 that are above rounding.

Points: numpy's default_rng(17), standard normals shifted, scaled and mixed as below, rounded to
three digits.
"""

import numpy as np
from scipy.linalg import sqrtm

import common

MIX = np.array([[1.0, 0.6, 0.0], [0.0, 0.8, -0.3], [0.2, 0.0, 0.5]])

normals = common.Normals(seed=17, digits=3)
X = normals.draw(12, 3)
Y = np.round(normals.draw(15, 3, shift=[0.5, 0.0, -1.0]) @ MIX, 3)
FEW_X = normals.draw(3, 5)
FEW_Y = normals.draw(4, 5, scale=0.7, shift=0.2)


def distance(x: np.ndarray, y: np.ndarray, deficient: bool = False) -> float:
    """The distance between the fits of the rows of `x` and `y`."""
    s, t = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    if deficient:
        eigenvalues = np.linalg.eigvals(s @ t).real
        root = np.sqrt(eigenvalues[eigenvalues > 1e-12]).sum()
    else:
        root = np.trace(sqrtm(s @ t)).real
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(s) + np.trace(t) - 2 * root)


def golden() -> dict[str, common.Json]:
    """The content of the golden file."""
    return common.plain(
        {
            "cases": [
                {"x": X, "y": Y, "distance": distance(X, Y)},
                {"x": FEW_X, "y": FEW_Y, "distance": distance(FEW_X, FEW_Y, deficient=True)},
            ]
        }
    )


if __name__ == "__main__":
    common.write(golden())
