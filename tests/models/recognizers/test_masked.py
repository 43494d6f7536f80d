"""Masks from a seed, and features of full clips."""

import pytest
import torch


def test_another_seed_gives_another_mask(make_recognizer, random_clips, mask_of):
    model, clips = make_recognizer(), random_clips()
    assert not torch.equal(mask_of(model, clips, 1), mask_of(model, clips, 2))


def test_without_a_seed_the_masks_follow_the_global_one(make_recognizer, random_clips):
    model, masks = make_recognizer(), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        masks.append(model.draw_views(random_clips())['student'].masked)
    assert torch.equal(masks[0], masks[1]) and not torch.equal(masks[0], masks[2])


@torch.no_grad()
def test_tensor_mode_gives_the_mean_over_tokens_and_clips(make_recognizer, random_clips):
    model = make_recognizer()
    clips = random_clips(6)
    features = model(clips.unflatten(0, (2, 3)), mode='tensor')
    tokens = model.backbone.encode(clips).tokens
    for video in range(2):
        expected = torch.stack([tokens[3 * video + c].mean(0) for c in range(3)]).mean(0)
        torch.testing.assert_close(features[video], expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_predict_mode_puts_a_feature_into_each_sample(make_recognizer, batch):
    model = make_recognizer()
    samples = model(*batch, mode='predict')
    expected = model(batch[0], mode='tensor')
    assert len(samples) == 2
    for sample, feature in zip(samples, expected):
        assert torch.equal(sample.feature, feature)


def test_only_the_backbone_has_features(make_recognizer, batch):
    with pytest.raises(ValueError, match="stage is 'head'"):
        make_recognizer()(batch[0], mode='tensor', stage='head')
