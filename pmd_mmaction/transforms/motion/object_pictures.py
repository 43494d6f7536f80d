"""A folder of pictures of single objects, with transparency around them."""

from pathlib import Path

import numpy as np
from numpy.random import RandomState
from PIL import Image

HOW = 'tools/data/make_demo_objects.py makes a dozen; docs/data.md tells what they must be'


class ObjectPictures:
    """PNG files in a folder and the folders below it.

    Args:
        folder: where they are.

    Raises:
        ValueError: if there is none.
    """

    def __init__(self, folder: str) -> None:
        self.paths = sorted(Path(folder).rglob('*.png'))
        if not self.paths:
            raise ValueError(f'PasteMovingObjects: there is no .png file in {folder!r}: {HOW}')

    def draw(self, rng: RandomState) -> np.ndarray:
        """Reads a random one.

        Args:
            rng: source of randomness.

        Returns:
            ``(H, W, 4)`` uint8, alpha not multiplied in.

        Raises:
            ValueError: for a picture without transparency.
        """
        path = self.paths[rng.randint(len(self.paths))]
        with Image.open(path) as picture:
            if not picture.has_transparency_data:
                raise ValueError(
                    f'{path} has no transparency, so that a whole rectangle would be pasted: {HOW}'
                )
            return np.asarray(picture.convert('RGBA'))
