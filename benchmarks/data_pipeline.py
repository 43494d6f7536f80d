"""Clips per second of the pre-training pipeline on one core: MMAction2's decoding and ours.

    python benchmarks/data_pipeline.py --rounds 7

The videos are made on the spot: 340x256 H.264, a picture that moves over another. The pipelines
differ in how they get from a file to 224x224 pixels. Those of one clip per decoding draw the same
clips and crops; `x2` and `x4` are repeated augmentation, per clip.
"""

import argparse
import itertools
import logging
import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

import av
import cv2
import numpy as np
import skimage.data
import torch
from harness import (
    add_cpu_time,
    interleave,
    machine_line,
    markdown,
    paired_ratio,
    save_json,
    spread,
)
from mmaction.registry import DATASETS
from mmengine.registry import init_default_scope

import pmd_mmaction.datasets  # noqa: F401

SIZE = 340, 256
SAMPLE = dict(type='SampleFrames', clip_len=16, frame_interval=4, num_clips=1)
PACK = [dict(type='FormatShape', input_format='NCTHW'), dict(type='PackActionInputs')]


def geometry(**options: bool) -> list[dict]:
    """The transforms from a decoded frame to the 224 x 224 pixels of the model."""
    crop = dict(
        type='MultiScaleCrop',
        input_size=224,
        scales=(1, 0.875, 0.75, 0.66),
        max_wh_scale_gap=1,
        num_fixed_crops=13,
    )
    resize = dict(type='Resize', scale=(224, 224), keep_ratio=False)
    return [{**step, **options} for step in (crop, resize)]


def ours(reader: str) -> list[dict]:
    """The decoding steps of this package."""
    return [dict(type='VideoInit', reader=reader), SAMPLE, dict(type='VideoDecode'), *geometry()]


# Clips from one decoding.
REPEATS = {'VideoInit, pyav x2': 2, 'VideoInit, pyav x4': 4}
PIPELINES = {
    'MMAction2 (decord)': [
        dict(type='DecordInit', num_threads=1),
        SAMPLE,
        dict(type='DecordDecode'),
        *geometry(),
    ],
    'VideoInit, decord': ours('decord'),
    'VideoInit, pyav': ours('pyav'),
    **dict.fromkeys(REPEATS, ours('pyav')),
}


def write_video(path: Path, frames: int, gop: int) -> None:
    """A video with x264's default settings, B-frames included."""
    width, height = SIZE
    back = cv2.resize(skimage.data.coffee(), (width + 60, height + 60))
    front = cv2.resize(skimage.data.astronaut(), (110, 110))
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
        stream.codec_context.gop_size = gop
        for i in range(frames):
            pan = round(30 + 29 * np.sin(i / 40))
            image = back[pan : pan + height, pan : pan + width].copy()
            x, y = (int(abs((i * s) % (2 * r) - r)) for s, r in ((3, width - 110), (2, 146)))
            image[y : y + 110, x : x + 110] = front
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format='rgb24')))
        container.mux(stream.encode())


def reads(name: str, path: Path, clips: int) -> Callable[[], None]:
    """A call that puts ``clips`` clips of a video through a pipeline."""
    repeats = REPEATS.get(name, 1)
    path.with_suffix('.txt').write_text(path.name)
    dataset = dict(
        type='RepeatAugPathListDataset' if repeats > 1 else 'PathListDataset',
        ann_file=str(path.with_suffix('.txt')),
        data_prefix=dict(video=str(path.parent)),
        pipeline=[dict(step) for step in [*PIPELINES[name], *PACK]],
        **(dict(num_repeats=repeats) if repeats > 1 else {}),
    )
    dataset, rounds = DATASETS.build(dataset), itertools.count()

    def run() -> None:
        seed = next(rounds)  # the same for all pipelines
        random.seed(seed), np.random.seed(seed)
        for _ in range(clips // repeats):
            found = dataset[0]
            for clip in found if repeats > 1 else [found]:
                assert clip['inputs'].shape == (1, 3, 16, 224, 224)

    return run


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--clips', type=int, default=24, help='per pipeline, video and round')
    parser.add_argument('--gops', type=int, nargs='+', default=[12, 250])
    parser.add_argument('--frames', type=int, default=300)
    parser.add_argument('--pipelines', nargs='+', choices=PIPELINES, default=list(PIPELINES))
    parser.add_argument('--tiny', action='store_true', help='a smoke test in seconds')
    parser.add_argument('--json', help='write the raw figures here')
    add_cpu_time(parser)
    args = parser.parse_args()
    if args.clips % max(REPEATS.values()):
        parser.error(f'--clips {args.clips} is no multiple of {max(REPEATS.values())}')
    if args.tiny:
        args.rounds, args.clips, args.frames = 1, 4, 70
    return args


def main() -> None:
    logging.disable(logging.WARNING)
    # One core, as a worker of a loaded machine has; whatever wants more threads gets no more.
    if hasattr(os, 'sched_setaffinity'):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    init_default_scope('mmaction')
    args = parse_args()
    rows, raw, first = [], {}, args.pipelines[0]
    with tempfile.TemporaryDirectory() as folder:
        for gop in args.gops:
            video_path = Path(folder, f'{gop}.mp4')
            write_video(video_path, args.frames, gop)
            cases = {name: reads(name, video_path, args.clips) for name in args.pipelines}
            raw[gop] = times = interleave(cases, args.rounds, clock=args.clock)
            for name, seconds in times.items():
                rate = args.clips / median(seconds)
                gain = paired_ratio(times[first], seconds)
                rows.append((gop, name, f'{rate:.1f}', spread(seconds), f'{gain:.2f}'))
    print(machine_line())
    seconds = 'CPU seconds' if args.clock else 'seconds'
    print(
        f'{args.frames} frames of {SIZE[0]}x{SIZE[1]}, {args.clips} clips a round, one core, '
        f'{seconds}\n'
    )
    header = ('key frames every', 'pipeline', 'clips/s', 'range s', f'times {first}')
    print(markdown(header, rows))
    save_json(args.json, dict(machine=machine_line(), clips=args.clips, seconds=raw))


if __name__ == '__main__':
    main()
