"""The difficulty losses, the history they read and the outbox they fill."""

import math

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample

from tests.models.recognizers.loops import SEED, history, loop_patch_losses


@pytest.mark.parametrize('scale', ['balanced', 'paper'])
@pytest.mark.parametrize('stage', ['first', 'later', 'without weighting'])
def test_difficulty_losses_and_the_outbox_equal_the_loop(
    make_recognizer, batch, stock_student, stock_targets, mask_of, fake_history, scale, stage
):
    alpha, tau, videos = 0.8, 0.7, [3, 1]
    last, ended = history(seed=1), history(seed=2)
    model = make_recognizer(
        dare=dict(
            alpha=alpha, tau=tau, difficulty_scale=scale, weighting=stage != 'without weighting'
        )
    )
    model.attach_difficulty(fake_history(last, None if stage == 'first' else ended))
    model.seed_masks(SEED)
    losses = model.loss(*batch)
    outbox = model.pop_patch_losses()

    clips = batch[0].flatten(0, 1)
    mask = mask_of(model, clips, SEED)
    targets = stock_targets(model, clips)
    terms = loop_patch_losses(stock_student(model)(clips, mask), targets, mask)
    assert outbox.sample_idx == videos
    assert outbox.smoothed.shape == (2, 2, 24) and not outbox.smoothed.requires_grad
    for k, name in enumerate(['img', 'vid']):
        total = 0.0
        for b, video in enumerate(videos):
            masked = mask[b].nonzero().flatten().tolist()
            assert outbox.masked_index[b].tolist() == masked
            # The softmax runs over the masked patches; by the letter over all of the video.
            summed = masked if scale == 'balanced' else range(32)
            denominator = sum(math.exp(ended[video, k, p].item() / tau) for p in summed)
            for place, p in enumerate(masked):
                smoothed = alpha * terms[name][b, p].item()
                smoothed += (1 - alpha) * last[video, k, p].item()
                assert outbox.smoothed[b, k, place].item() == pytest.approx(smoothed, rel=1e-4)
                if stage == 'later':
                    weight = math.exp(ended[video, k, p].item() / tau) / denominator
                else:
                    weight = 1 / len(masked)
                share = 1 if scale == 'balanced' else 1 / len(masked)
                total += share * weight * smoothed / len(videos)
        assert losses[f'loss_df_{name}'].item() == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize('ratio', [0.25, 0.5, 0.75])
@pytest.mark.parametrize('stage', [None, 0.0, 0.8])
def test_uniform_difficulty_gives_the_mean_of_the_base_loss_in_every_stage(
    make_recognizer, batch, fake_history, ratio, stage
):
    model = make_recognizer(ratio, dare=dict(alpha=1.0), psd=None, clfa=None)
    last = torch.zeros(4, 2, 32)
    model.attach_difficulty(fake_history(last, None if stage is None else last + stage))
    losses = model.loss(*batch)
    for name in ('img', 'vid'):
        expected = losses[f'loss_base_{name}'].item()
        assert losses[f'loss_df_{name}'].item() == pytest.approx(expected, rel=1e-5)


def test_only_the_new_loss_of_dare_carries_gradient(
    make_recognizer, batch, total_gradients, fake_history
):
    # With uniform, balanced weights dL_df = alpha * dL_base, whatever the history.
    base = make_recognizer(psd=None, dare=None, clfa=None)
    dare = make_recognizer(base=None, psd=None, clfa=None, dare=dict(alpha=0.6))
    dare.load_state_dict(base.state_dict())
    dare.attach_difficulty(fake_history(history()))
    _, base_grads = total_gradients(base, *batch)
    _, dare_grads = total_gradients(dare, *batch)
    for name, grad in base_grads.items():
        scale = grad.abs().max().item()
        torch.testing.assert_close(
            dare_grads[name], 0.6 * grad, rtol=1e-3, atol=1e-4 * scale, msg=name
        )


def test_the_outbox_is_emptied_by_reading(make_recognizer, batch):
    model = make_recognizer()
    assert model.pop_patch_losses() is None
    model.loss(*batch)
    assert model.pop_patch_losses() is not None
    assert model.pop_patch_losses() is None


def test_every_clip_of_a_video_has_its_row(make_recognizer, random_clips, make_samples):
    model = make_recognizer()
    model.loss(random_clips(6).unflatten(0, (2, 3)), make_samples(3, 1))
    outbox = model.pop_patch_losses()
    assert outbox.sample_idx == [3, 3, 3, 1, 1, 1]
    assert outbox.masked_index.shape == (6, 24)
    assert outbox.smoothed.shape == (6, 2, 24)


def test_the_table_that_dare_needs(make_recognizer):
    assert make_recognizer(dare=dict(alpha=0.9)).difficulty_spec == (2, 32, 0.9, True, (2, 4, 4))
    assert make_recognizer(image_teacher=None).difficulty_spec[:3] == (1, 32, 0.95)
    assert make_recognizer(dare=None).difficulty_spec is None


def test_dare_needs_a_table(make_recognizer, batch):
    model = make_recognizer()
    model.attach_difficulty(None)
    with pytest.raises(RuntimeError, match='DAREHook'):
        model.loss(*batch)


def test_dare_needs_the_index_of_each_sample(make_recognizer, batch, make_samples):
    samples = [*make_samples(3), ActionDataSample()]
    with pytest.raises(ValueError, match=r'data samples \[1\] .*sample_idx'):
        make_recognizer().loss(batch[0], samples)


def test_without_dare_no_index_is_needed(make_recognizer, batch):
    make_recognizer(dare=None).loss(batch[0], [ActionDataSample(), ActionDataSample()])


def test_the_difficulty_of_a_video_is_that_of_its_first_clip(
    make_recognizer, make_samples, fake_history
):
    """Rows that cover the frame are read through the box of each clip."""
    model, rows = make_recognizer(), history()
    source = fake_history(rows)
    source.by_place = True
    model.attach_difficulty(source)
    samples = make_samples(2, 0)
    whole, left = [0, 0, 1, 1], [0, 0, 0.5, 1]
    for sample, boxes in zip(samples, ([whole, left], [whole, left])):
        sample.set_metainfo(dict(crop_box=np.array(boxes, np.float32)))
    found = model.difficulty_of(samples)
    for k, name in enumerate(['img', 'vid']):
        torch.testing.assert_close(found[name], rows[[2, 0], k])
