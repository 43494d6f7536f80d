"""Smoothing factors that a number format of the table supports."""

from __future__ import annotations

import numpy as np

MIN_ALPHA_FLOAT16 = 0.1


def check_precision(dtype: str | np.dtype, alpha: float) -> None:
    """Refuses a smoothing factor for which the moving average would stall.

    The table stores ``alpha * loss + (1 - alpha) * last``. A half-precision number near x has a
    step of up to ``x / 1024``, so a change ``alpha * (loss - last)`` below half of it is rounded
    away: the average stops ``x / (2048 * alpha)`` short of the loss. That is 0.05 % at the paper's
    alpha of 0.95, 0.5 % at 0.1 and grows without bound below.

    Args:
        dtype: Number format of the table, float16 or float32.
        alpha: Weight of the newest loss, in (0, 1].

    Raises:
        ValueError: If alpha is outside (0, 1], or below 0.1 with float16.
    """
    if not 0 < alpha <= 1:
        raise ValueError(f'alpha must be in (0, 1], got {alpha}')
    if np.dtype(dtype) == np.float16 and alpha < MIN_ALPHA_FLOAT16:
        raise ValueError(
            f'alpha = {alpha} is too small for a float16 table: below {MIN_ALPHA_FLOAT16} the '
            'increments fall under the float16 step and the moving average stalls. '
            "Use dtype='float32' or a larger alpha."
        )
