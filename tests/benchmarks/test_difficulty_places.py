"""The comparison of both regions, on losses that are known."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from tests.integration import tiny

GRID, VIDEOS, VISITS = (2, 6, 6), 8, 6


def _visits(crops: bool, noise: float):
    """Losses that depend on the place in the frame, seen through boxes; 90 % of them."""
    generator = torch.Generator().manual_seed(0)
    places = 1 + torch.rand(VIDEOS, 2, *GRID, generator=generator)
    t, h, w = GRID
    for _ in range(VISITS):
        left, top, size = torch.rand(3, VIDEOS, generator=generator)
        size = 0.6 + 0.2 * size
        left, top = left * (1 - size), top * (1 - size)
        boxes = torch.stack([left, top, left + size, top + size], 1)
        boxes = boxes if crops else torch.tensor([[0.0, 0, 1, 1]]).expand(VIDEOS, 4)
        losses = torch.zeros(VIDEOS, 2, t, h, w)
        for b, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
            columns = ((x1 + (x2 - x1) * (torch.arange(w) + 0.5) / w) * w).long()
            rows = ((y1 + (y2 - y1) * (torch.arange(h) + 0.5) / h) * h).long()
            losses[b] = places[b][:, :, rows][:, :, :, columns]
        losses += noise * torch.randn(losses.shape, generator=generator)
        masked = torch.rand(VIDEOS, t * h * w, generator=generator).argsort(1)[
            :, : int(0.9 * t * h * w)
        ]
        seen = losses.flatten(2).gather(2, masked[:, None].expand(-1, 2, -1))
        yield dict(videos=torch.arange(VIDEOS), boxes=boxes, masked=masked, losses=seen)


@pytest.fixture
def means(benchmark_module):
    places = benchmark_module('difficulty_places')

    def follow(crops, noise, by_place):
        found = places.follow(list(_visits(crops, noise)), GRID, VIDEOS, by_place, 2)
        return {name: np.mean(pairs, 0) for name, pairs in found.items()}

    return follow


@pytest.mark.parametrize('by_place', [False, True])
def test_without_crops_both_regions_know_every_place(means, by_place):
    found = means(crops=False, noise=0, by_place=by_place)
    assert found['own'] == pytest.approx([1, 1], abs=0.01)
    assert abs(found['video']).max() < 0.2


def test_noise_takes_its_share_of_the_variance(means):
    # places vary by 1/12, noise by as much: half of the variance is place
    found = means(crops=False, noise=(1 / 12) ** 0.5, by_place=True)
    assert found['own'] == pytest.approx([0.5, 0.5], abs=0.1)


def test_under_crops_the_region_in_the_frame_knows_more(means):
    crop, frame = (means(crops=True, noise=0, by_place=by_place) for by_place in (False, True))
    assert frame['own'].min() > 0.6 > crop['own'].max() + 0.2
    assert frame['own'].min() > frame['box'].max() + 0.3


@pytest.mark.slow
def test_the_script_runs(tmp_path):
    clips = tiny.make_clips(tmp_path / 'clips', frames=12)
    command = [sys.executable, 'benchmarks/difficulty_places.py', '--random-teachers']
    command += ['--data', str(clips), '--videos', '12', '--epochs', '3']
    done = subprocess.run(command, cwd=tiny.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    cells = [line.split('|')[1:5] for line in done.stdout.splitlines() if line.startswith('| none')]
    numbers = {region.strip(): rest for _, region, *rest in cells}
    assert numbers['patch_index'] == numbers['canonical']
