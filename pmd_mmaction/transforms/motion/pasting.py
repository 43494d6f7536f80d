"""Objects pasted into frames."""

from typing import Sequence

import cv2
import numpy as np
from PIL import Image


def resize_object(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """An RGBA picture in another size, with Pillow's default filter.

    Args:
        picture: ``(H, W, 4)`` uint8, alpha not multiplied in.
        width: in pixels; at least 1 is taken.
        height: likewise.
    """
    size = max(1, int(width)), max(1, int(height))
    return np.asarray(Image.fromarray(picture).resize(size))


def rotate_object(picture: np.ndarray, angle: float) -> np.ndarray:
    """An RGBA picture turned clockwise about its centre, on a canvas that holds all of it.

    Args:
        picture: ``(H, W, 4)`` uint8.
        angle: in degrees; what is behind the point is cut off.

    Returns:
        ``(H', W', 4)`` uint8; transparent where nothing of the picture is.
    """
    height, width = picture.shape[:2]
    middle = width / 2, height / 2
    turn = cv2.getRotationMatrix2D(middle, -int(angle), 1.0)
    cosine, sine = abs(turn[0, 0]), abs(turn[0, 1])
    canvas = int(height * sine + width * cosine), int(height * cosine + width * sine)
    turn[:, 2] += np.array(canvas) / 2 - middle
    return cv2.warpAffine(picture, turn, canvas)


def paste_object(frame: np.ndarray, picture: np.ndarray, box: Sequence[int]) -> None:
    """Blends a picture over a frame, its centre on that of a box; what is outside is cut.

    ``frame * (1 - a) + picture * a`` with alpha ``a`` in [0, 1], rounded down.

    Args:
        frame: ``(H, W, 3)`` uint8; changed.
        picture: ``(h, w, 4)`` uint8 of at least the size of the box.
        box: (x1, y1, x2, y2) in whole pixels.
    """
    left, top, right, bottom = (int(side) for side in box)
    height, width = picture.shape[:2]
    # half of what it has grown by, rounded up
    left += (right - left - width) // 2
    top += (bottom - top - height) // 2
    rows = slice(max(top, 0), min(top + height, frame.shape[0]))
    columns = slice(max(left, 0), min(left + width, frame.shape[1]))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    part = picture[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ].astype(np.float64)
    alpha = part[..., 3:] / 255
    below = frame[rows, columns]
    frame[rows, columns] = (below * (1 - alpha) + part[..., :3] * alpha).astype(np.uint8)


def paste_objects(
    frames: Sequence[np.ndarray],
    pictures: Sequence[np.ndarray],
    boxes: np.ndarray,
    angles: np.ndarray,
    sources: Sequence[int],
) -> list[np.ndarray]:
    """A clip with objects in every frame, those with the larger boxes behind the others.

    Each picture is resized to the box of its source frame first, and from there to those of
    all frames.

    Args:
        frames: T frames ``(H, W, 3)`` uint8.
        pictures: RGBA pictures of the objects.
        boxes: ``(objects, T, 4)`` int64.
        angles: ``(objects, T)`` degrees.
        sources: source frame of each object.

    Returns:
        T new frames.
    """
    frames = [frame.copy() for frame in frames]
    sides = boxes[..., 2:] - boxes[..., :2]
    for k in np.argsort(-sides.prod(-1).mean(-1), kind='stable'):
        source = resize_object(pictures[k], *sides[k, sources[k]])
        for frame, box, side, angle in zip(frames, boxes[k], sides[k], angles[k]):
            paste_object(frame, rotate_object(resize_object(source, *side), angle), box)
    return frames
