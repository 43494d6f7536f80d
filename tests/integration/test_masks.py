"""Pre-training with several masks of each clip, and with a part of the masked patches decoded."""

import numpy as np
import pytest
from mmengine.config import Config

from tests.integration import tiny
from tests.integration.shipped import epochs_of


@pytest.mark.parametrize('size', 'sbl')
def test_passes_updates_and_rates_are_those_of_the_stock_config(size):
    stock, masks = (
        Config.fromfile(tiny.CONFIGS / 'pmd' / f'vit-{size}_k400_pretrain{end}.py')
        for end in ('', '_masks2')
    )
    assert masks.model == dict(stock.model, num_masks=2)
    assert 2 * masks.train_dataloader.batch_size == stock.train_dataloader.batch_size
    assert 2 * masks.auto_scale_lr.base_batch_size == stock.auto_scale_lr.base_batch_size
    assert masks.optim_wrapper == stock.optim_wrapper
    ours, theirs = masks.default_hooks, stock.default_hooks
    assert 2 * ours.difficulty.stage_epochs == theirs.difficulty.stage_epochs
    doubled = [(ratio, 2 * epochs) for ratio, epochs in ours.curriculum.phases]
    assert doubled == [tuple(phase) for phase in theirs.curriculum.phases]
    assert 2 * epochs_of(masks) == epochs_of(stock)


def test_the_log_says_what_the_learning_rate_is_scaled_by(clips, tmp_path):
    cfg = tiny.tiny_config(
        clips,
        tmp_path,
        ratios=(0.5,),
        epochs=1,
        model__num_masks=2,
        param_scheduler=None,
        auto_scale_lr=dict(enable=True, base_batch_size=2),
        log_level='INFO',
    )
    cfg.custom_hooks[2].stage_epochs = 1
    rate = cfg.optim_wrapper.optimizer.lr
    runner = tiny.train(cfg)
    told = ''.join(path.read_text() for path in tmp_path.glob('*/*.log'))
    assert f'learning rate {2 * rate:.3g}, 3 iterations per epoch, 2 passes of the student' in told
    assert 'auto_scale_lr counted 4 videos per iteration, not the 8 passes of the student' in told
    assert runner.optim_wrapper.param_groups[0]['lr'] == pytest.approx(2 * rate)


def test_patches_that_were_not_decoded_keep_their_difficulty(clips, tmp_path):
    """12 videos, 32 patches: half are masked, half of these decoded, other ones in each epoch."""

    def train(epochs):
        cfg = tiny.tiny_config(
            clips,
            tmp_path / str(epochs),
            ratios=(0.5,),
            epochs=epochs,
            param_scheduler=None,
            model__views=dict(decode=dict(type='CubeMasker', mask_ratio=0.5)),
        )
        cfg.custom_hooks[2].update(stage_epochs=1, reset_per_phase=False)
        return tiny.table_of(tiny.train(cfg))[0]

    first, second = train(1), train(2)
    assert ((first > 0).sum(-1) == 8).all()
    changed = first != second
    assert (changed.sum(-1) <= 8).all() and changed.any(-1).all()
    kept = (first > 0) & ~changed
    assert kept.any() and np.array_equal(first[kept], second[kept])
