"""Values that change from key frame to key frame."""

from typing import Sequence

import numpy as np
from numpy.random import RandomState

KINDS = ('uniform', 'accelerate', 'decelerate')
KIND_SHARES = (0.7, 0.15, 0.15)
INNER_SHARES = (0.5, 0.3, 0.2)  # of 0, 1 and 2 key frames between the first and the last


def draw_key_frames(frames: int, rng: RandomState) -> list[int]:
    """First and last frame, and up to two between them, at even distances but for a jitter.

    Args:
        frames: T.
        rng: source of randomness.

    Returns:
        Ascending frames, each once.
    """
    inner = rng.choice(len(INNER_SHARES), p=INNER_SHARES)
    jitter = int(frames / (inner + 1) / 3)
    found = {0, frames - 1}
    for i in range(1, inner + 1):
        moved = rng.randint(-jitter, jitter) if jitter else 0
        found.add(int(i * frames / (inner + 1)) + moved)
    return sorted(found)


def draw_kinds(key_frames: Sequence[int], rng: RandomState) -> list[str]:
    """How a value changes in each interval between key frames."""
    return list(rng.choice(KINDS, len(key_frames) - 1, p=KIND_SHARES))


def fill_between(values: np.ndarray, key_frames: Sequence[int], kinds: Sequence[str]) -> np.ndarray:
    """The values of all frames from those at key frames.

    With ``u`` the part of an interval that has passed, the part of the change is ``u``
    (uniform), ``u ** 2`` (accelerate) or ``1 - (1 - u) ** 2`` (decelerate).

    Args:
        values: ``(keys, ...)`` values at the key frames.
        key_frames: ascending; the first is 0.
        kinds: of :data:`KINDS`, one per interval.

    Returns:
        ``(T, ...)`` with T one more than the last key frame.
    """
    filled = [values[:1]]
    for k, kind in enumerate(kinds):
        length = key_frames[k + 1] - key_frames[k]
        u = np.arange(1, length + 1) / length
        part = dict(uniform=u, accelerate=u**2, decelerate=1 - (1 - u) ** 2)[kind]
        part = part.reshape(-1, *[1] * (values.ndim - 1))
        filled.append(values[k] + part * (values[k + 1] - values[k]))
    return np.concatenate(filled)
