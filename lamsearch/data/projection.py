"""Principal components: a rotation of the images onto the directions in which they vary most.

Enters: normalised training images. Leaves: an orthonormal projection, or a whitening one. Pure, and
with one thread, so that every worker of a study would find the same bits. Refuses to know labels
and splits.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from lamsearch.data.images import Float32

# The leading directions are known from fewer images than training needs: on CIFAR-10, 10 000 of
# 45 000 discard 1.73 % of the variance at 512 components instead of 1.61 %, in a third of the time.
FITTED_ON = 10_000
_AT_ONCE = 2_500
_LEAST = 1e-6  # of the largest variance: below it a component is rounding, and is not blown up


def principal_components(x: Float32, count: int, *, whiten: bool = False) -> Float32:
    """Return the projection (features, count) onto the leading principal components of x.

    ``x`` (n, features) is normalised. Columns are orthonormal, by falling variance; the largest
    entry of each is positive. With ``whiten`` each column is divided by the standard deviation of
    its component, so that all components have variance 1; those that hardly vary (less than 1e-6
    of the first one's variance) have less.

    Source: Jolliffe (2002), Principal Component Analysis, 2nd ed., Springer, chapter 3.
    """
    from scipy.linalg import eigh  # of its own here: few studies have a projection
    from scipy.linalg.blas import ssyrk

    features = x.shape[1]
    with threadpool_limits(limits=1, user_api="blas"):
        covariance = np.zeros((features, features), np.float32, order="F")
        images = x[:FITTED_ON]
        for start in range(0, len(images), _AT_ONCE):
            part = images[start : start + _AT_ONCE]
            covariance = ssyrk(
                1 / len(images), part.T, beta=1.0, c=covariance, lower=1, overwrite_c=1
            )
        variances, vectors = eigh(
            covariance,
            lower=True,
            subset_by_index=[features - count, features - 1],
            driver="evr",
            overwrite_a=True,
            check_finite=False,
        )
    falling = vectors[:, ::-1]
    largest = np.abs(falling).argmax(axis=0)
    signs = np.where(falling[largest, np.arange(count)] < 0, -1, 1)
    if whiten:
        signs = signs / np.sqrt(np.maximum(variances[::-1], _LEAST * variances[-1]))
    return np.ascontiguousarray(falling * signs, np.float32)


@cache
def fitted_by() -> list[str]:
    """Return what a projection's last bits follow from besides the data: libraries, kernels."""
    import scipy.linalg.blas  # its BLAS is loaded with it

    kernels = {
        f"{one['internal_api']} {one['version']} {one.get('architecture')}"
        for one in threadpool_info()
        if one["user_api"] == "blas"
    }
    return [f"numpy {np.__version__}", f"scipy {scipy.__version__}", *sorted(kernels)]


def project(x: Float32, projection: Float32) -> Float32:
    """Return x (n, features) in the components of ``projection``: (n, count)."""
    with threadpool_limits(limits=1, user_api="blas"):
        return np.asarray(x @ projection, np.float32)
