"""The transform that lets objects move through a clip."""

from typing import Annotated, Sequence

import numpy as np
from mmaction.registry import TRANSFORMS
from numpy.random import RandomState

from pmd_mmaction.arguments import NonNegative, Text, Whole, checked, listed, number
from pmd_mmaction.transforms.described import Described
from pmd_mmaction.transforms.motion.boxes import (
    boxes_around,
    draw_angles,
    draw_shape,
    draw_sizes,
    round_boxes,
)
from pmd_mmaction.transforms.motion.key_frames import draw_key_frames, draw_kinds
from pmd_mmaction.transforms.motion.object_pictures import ObjectPictures
from pmd_mmaction.transforms.motion.pasting import paste_objects
from pmd_mmaction.transforms.motion.trajectories import draw_centres

Sides = Annotated[Sequence[float], listed('a list of sides', number(above=0))]


@TRANSFORMS.register_module()
class PasteMovingObjects(Described):
    """Pastes objects that move along smooth random paths, change size and turn (SMILE).

    Comes after the crop to the final size. Reads ``imgs`` and ``num_clips``; sets ``imgs`` and
    ``object_boxes``, ``(clips, objects, T, 4)`` int64 (x1, y1, x2, y2) in pixels, which may leave
    the frame and do not turn with the object. ``PackActionInputs(meta_keys=('object_boxes', ...))``
    takes them along to :class:`ObjectTubeMasker`.

    All clips of a batch need boxes, so every clip gets the same number of objects. Defaults are
    SMILE's.

    Args:
        folder: of pictures of single objects, PNG with transparency.
        num_objects: in each clip.
        scales: sides of square boxes, in pixels of a frame of 224; in proportion for others.
        shape_jitter: largest change of the logarithm of width and height.
        size_rate: the same per frame, while the object moves.
        turn_rate: largest turn per frame, in degrees.

    Raises:
        ValueError: for an empty folder, or an argument that makes no sense.
    """

    @checked
    def __init__(
        self,
        folder: Text,
        num_objects: Whole = 2,
        scales: Sides = (32, 48, 56, 64, 96, 128),
        shape_jitter: NonNegative = 0.18,
        size_rate: NonNegative = 0.025,
        turn_rate: NonNegative = 6.0,
    ) -> None:
        self.folder = folder
        self.pictures = ObjectPictures(folder)
        self.num_objects = num_objects
        self.scales = tuple(scales)
        self.shape_jitter = shape_jitter
        self.size_rate = size_rate
        self.turn_rate = turn_rate

    def transform(self, results: dict) -> dict:
        """Pastes into the frames of each clip."""
        rng = RandomState(np.random.randint(2**31))
        clips = results.get('num_clips', 1)
        frames, boxes = results['imgs'], []
        length = len(frames) // clips
        results['imgs'] = []
        for start in range(0, clips * length, length):
            pasted, own = self.paste(frames[start : start + length], rng)
            results['imgs'] += pasted
            boxes.append(own)
        results['object_boxes'] = np.stack(boxes)
        return results

    def paste(
        self, frames: Sequence[np.ndarray], rng: RandomState
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Pastes into one clip.

        Args:
            frames: T frames ``(H, W, 3)`` uint8.
            rng: source of randomness.

        Returns:
            T new frames, and ``(objects, T, 4)`` int64 boxes.
        """
        height, width = frames[0].shape[:2]
        length, count = len(frames), self.num_objects
        scales = np.multiply(self.scales, min(height, width) / 224)
        keys = draw_key_frames(length, rng)
        growing, turning = draw_kinds(keys, rng), draw_kinds(keys, rng)
        boxes, angles = [], []
        for _ in range(count):
            shape = draw_shape(scales, self.shape_jitter, rng)
            sizes = draw_sizes(shape, keys, growing, self.size_rate, rng)
            centres = draw_centres(length, height, width, rng)
            boxes.append(round_boxes(boxes_around(centres, sizes)))
            angles.append(draw_angles(keys, turning, self.turn_rate, rng))
        pictures = [self.pictures.draw(rng) for _ in range(count)]
        sources = rng.randint(length, size=count)
        boxes = np.stack(boxes)
        return paste_objects(frames, pictures, boxes, np.stack(angles), sources), boxes
