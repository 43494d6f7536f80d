import pytest

from pmd_mmaction.folder.preset import PRESETS, Machine, batch_of, choose_preset


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
