from types import SimpleNamespace

import pytest
import torch

from pmd_mmaction.folder.preset import (
    PRESETS,
    Machine,
    batch_of,
    choose_preset,
    this_machine,
)


@pytest.mark.parametrize(
    'videos, machine, name',
    [
        (100_000, Machine(0, 0, 64), 'tiny'),
        (50, Machine(1, 80, 16), 'small'),
        (1999, Machine(8, 80, 16), 'small'),
        (100_000, Machine(1, 24, 16), 'small'),
        (2000, Machine(1, 80, 16), 'base'),
    ],
)
def test_the_preset_follows_from_videos_and_machine(videos, machine, name):
    found, why = choose_preset(videos, machine)
    assert found == name
    assert ('no GPU' in why) == (machine.gpus == 0)


@pytest.mark.parametrize('videos', [1, 2, 9, 16, 17, 45, 100, 33])
def test_few_videos_are_left_over(videos):
    batch = batch_of(videos, 16)
    assert 1 <= batch <= min(16, videos)
    assert videos % batch < videos // batch


@pytest.mark.parametrize('preset', PRESETS.values(), ids=PRESETS)
def test_sizes_fit_together(preset):
    assert preset.img_size % preset.patch_size == 0 and preset.num_frames % 2 == 0
    assert preset.embed_dims % preset.num_heads == 0 and preset.decoder_dims % 12 == 0
    assert preset.short_side > preset.img_size


@pytest.mark.parametrize(
    'majors, wanted, dtype',
    [((8, 9), None, 'bfloat16'), ((9, 7), None, 'float16'), ((9, 7), 1, 'bfloat16')],
)
def test_half_precision_is_what_every_gpu_computes(monkeypatch, majors, wanted, dtype):
    gpus = [SimpleNamespace(major=major, total_memory=80e9 / major) for major in majors]
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: len(gpus))
    monkeypatch.setattr(torch.cuda, 'get_device_properties', gpus.__getitem__)
    found = this_machine(wanted)
    assert found.gpus == len(gpus[:wanted]) and found.dtype == dtype
    assert found.memory == pytest.approx(80 / max(majors[:wanted]))
    assert this_machine(0)[:2] == (0, 0.0) and this_machine(0).dtype == 'float32'
