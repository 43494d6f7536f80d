"""Figures as pixels."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def draw_pixels(figure: Figure) -> np.ndarray:
    """``(H, W, 3)`` uint8 pixels of a figure, drawn without a display."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
