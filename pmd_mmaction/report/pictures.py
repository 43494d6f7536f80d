"""Pictures that lie inside the page."""

import base64
import io
from typing import Sequence

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from pmd_mmaction.visualization.patches import upsample_patches

HEIGHT = 112  # of a frame of an animation, in pixels at the least
GAP = 4
FRAME_MILLISECONDS = 250


def embed_figure(figure: Figure) -> str:
    """A figure as the address of a PNG; the figure is closed."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png', dpi=90)
    plt.close(figure)
    return _address('png', buffer)


def embed_animation(columns: Sequence[np.ndarray]) -> str:
    """Videos side by side as the address of a GIF without end.

    Args:
        columns: ``(T, H, W, 3)`` uint8 frames each.
    """
    gap = np.full((*columns[0].shape[:2], GAP, 3), 255, np.uint8)
    joined = np.concatenate([part for column in columns for part in (column, gap)][:-1], axis=2)
    factor = max(1, round(HEIGHT / joined.shape[1]))
    joined = joined.repeat(factor, axis=1).repeat(factor, axis=2)
    frames = [Image.fromarray(frame) for frame in joined]
    buffer = io.BytesIO()
    timing = dict(duration=FRAME_MILLISECONDS, loop=0)
    frames[0].save(buffer, format='GIF', save_all=True, append_images=frames[1:], **timing)
    return _address('gif', buffer)


def embed_strip(frames: Sequence[np.ndarray]) -> str:
    """``(H, W, 3)`` uint8 frames of one size side by side, as the address of a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(frames, axis=1)).save(buffer, format='PNG')
    return _address('png', buffer)


def heat(
    frames: np.ndarray, values: np.ndarray, token_grid: tuple[int, int, int], top: float
) -> np.ndarray:
    """Values of patches over a grey video.

    Args:
        frames: ``(T, H, W, 3)`` uint8.
        values: ``(N,)`` from 0 to ``top``.
        token_grid: tokens along (time, height, width).
        top: the brightest value.

    Returns:
        ``(T, H, W, 3)`` uint8.
    """
    share = upsample_patches(values, token_grid, frames.shape[:3]) / max(top, 1e-6)
    colours = matplotlib.colormaps['inferno'](share)[..., :3] * 255
    return (0.4 * frames.mean(-1, keepdims=True) + 0.6 * colours).astype(np.uint8)


def _address(kind: str, buffer: io.BytesIO) -> str:
    return f'data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}'
