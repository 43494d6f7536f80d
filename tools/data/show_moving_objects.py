"""Draws objects that move through a video and what a mask leaves of it: a look before a training.

python tools/data/show_moving_objects.py VIDEO --objects data/objects --out objects.png
"""

from __future__ import annotations

import runpy
from pathlib import Path

runpy.run_path(f'{Path(__file__).parents[1]}/environment.py')  # may end here

import argparse
import sys

import matplotlib
import numpy as np
import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import Compose
from mmengine.registry import init_default_scope

import pmd_mmaction  # noqa: F401  (registers the components)
from pmd_mmaction.models import ObjectTubeMasker
from pmd_mmaction.readers.video_stream import VideoError
from pmd_mmaction.visualization import plot_masks

matplotlib.use('Agg')
FRAMES, SIDE, GRID = 16, 224, (8, 14, 14)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('video', help='a video')
    parser.add_argument('--objects', default='data/objects', help='folder of PNG files')
    parser.add_argument('--out', default='objects.png', help='the picture')
    parser.add_argument('--mask-ratio', type=float, default=0.8)
    parser.add_argument('--seed', type=int, default=0)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    init_default_scope('mmaction')
    steps = [
        dict(type='VideoInit'),
        dict(type='SampleFrames', clip_len=FRAMES, frame_interval=4, num_clips=1, test_mode=True),
        dict(type='VideoDecode'),
        dict(type='Resize', scale=(-1, SIDE)),
        dict(type='CenterCrop', crop_size=SIDE),
        dict(type='PasteMovingObjects', folder=args.objects),
    ]
    np.random.seed(args.seed)
    info = dict(filename=args.video, start_index=0, modality='RGB')
    masker = ObjectTubeMasker(GRID, (3, FRAMES, SIDE, SIDE), tube_ratio=0.8)  # as SMILE's configs
    try:
        masker.check_ratio(args.mask_ratio)
        results = Compose([TRANSFORMS.build(step) for step in steps])(info)
    except (OSError, ValueError, VideoError) as error:
        print(f'show_moving_objects: {error}', file=sys.stderr)
        return 1
    boxes = torch.from_numpy(results['object_boxes'])
    generator = torch.Generator().manual_seed(args.seed)
    order = masker.order(1, generator, object_boxes=boxes)
    mask = np.ones(np.prod(GRID), dtype=bool)
    mask[masker.view(order, args.mask_ratio).visible[0]] = False
    title = f'{args.mask_ratio:.0%} masked'
    figure = plot_masks(np.stack(results['imgs']), {title: mask}, GRID)
    figure.savefig(args.out, dpi=60)
    print(args.out)
    return 0


if __name__ == '__main__':
    sys.exit(main())
