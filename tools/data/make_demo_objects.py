"""Cuts a dozen objects out of pictures that pip packages ship, for PasteMovingObjects.

Each object becomes a PNG with transparency around it. For a real training take many more: any
folder of such pictures will do (docs/data.md).

    python tools/data/make_demo_objects.py --out data/demo/objects
"""

from __future__ import annotations

import runpy
from pathlib import Path

runpy.run_path(f'{Path(__file__).parents[1]}/environment.py')  # may end here

import argparse
import importlib.util
import sys

import numpy as np
from PIL import Image

SIDE = 96  # the longer side of an object, in pixels
# name: package, picture, (x1, y1, x2, y2) around the object, all of them round
OBJECTS = {
    'badge': ('skimage', 'data/astronaut.png', (130, 344, 208, 424)),
    'cat': ('skimage', 'data/chelsea.png', (55, 5, 355, 290)),
    'coin-1': ('skimage', 'data/coins.png', (304, 16, 364, 74)),
    'coin-2': ('skimage', 'data/coins.png', (313, 155, 380, 221)),
    'coin-3': ('skimage', 'data/coins.png', (18, 232, 76, 290)),
    'cup': ('skimage', 'data/coffee.png', (173, 18, 419, 290)),
    'flower': ('sklearn', 'datasets/images/flower.jpg', (173, 85, 447, 358)),
    'head': ('skimage', 'data/astronaut.png', (152, 14, 304, 190)),
    'saucer': ('skimage', 'data/coffee.png', (78, 20, 480, 386)),
    'wheel-1': ('skimage', 'data/motorcycle_left.png', (121, 232, 274, 404)),
    'wheel-2': ('skimage', 'data/motorcycle_left.png', (525, 285, 684, 454)),
}
PRESENT = ('matplotlib', 'mpl-data/sample_data/Minduka_Present_Blue_Pack.png')  # cut out already


def read(package: str, name: str) -> np.ndarray:
    """A picture of an installed package, ``(H, W, 3)`` or ``(H, W, 4)`` uint8."""
    spec = importlib.util.find_spec(package)
    path = spec and Path(spec.origin).parent / name
    if path is None or not path.is_file():
        raise FileNotFoundError(
            f'{name} of the package {package} is missing: pip install the demo extra, '
            "pip install 'pmd-mmaction[demo]'"
        )
    with Image.open(path) as picture:
        return np.asarray(picture.convert('RGBA' if picture.has_transparency_data else 'RGB'))


def cut_out(picture: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """The ellipse in a box as ``(H, W, 4)`` uint8, transparent in the corners."""
    left, top, right, bottom = box
    height, width = bottom - top, right - left
    rows, columns = ((2 * np.arange(side) + 1) / side - 1 for side in (height, width))
    distance = np.hypot(rows[:, None], columns)
    edge = 1 / min(height, width)  # alpha falls within a pixel
    alpha = np.clip((1 - distance) / edge, 0, 1)
    return np.dstack([picture[top:bottom, left:right], (255 * alpha).astype(np.uint8)])


def shrink(picture: np.ndarray) -> Image.Image:
    """The picture with a longer side of ``SIDE`` pixels."""
    image = Image.fromarray(picture)
    scale = SIDE / max(image.size)
    return image.resize([round(scale * side) for side in image.size])


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', default='data/demo/objects', help='where the pictures go')
    args = parser.parse_args(argv)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    pictures = {
        name: cut_out(read(package, file), box) for name, (package, file, box) in OBJECTS.items()
    }
    pictures['present'] = read(*PRESENT)
    for name, picture in pictures.items():
        shrink(picture).save(out / f'{name}.png')
    print(f'{len(pictures)} objects in {out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
