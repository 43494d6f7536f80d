"""The head under mixed precision, from the backbone to loss and accuracy."""

import pytest
import torch
from mmaction.evaluation import AccMetric
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample

pytestmark = pytest.mark.usefixtures('mmaction_scope')


def recognizer(head='Float32TimeSformerHead', **preprocessor):
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='Recognizer3D',
            data_preprocessor=dict(
                type='ActionDataPreprocessor', format_shape='NCTHW', **preprocessor
            ),
            backbone=dict(
                type='MaskedVisionTransformer',
                img_size=16,
                patch_size=8,
                num_frames=2,
                embed_dims=12,
                depth=2,
                num_heads=2,
            ),
            cls_head=dict(
                type=head,
                num_classes=5,
                in_channels=12,
                label_smooth_eps=0.1,
                average_clips='prob',
            ),
        )
    )
    model.init_weights()
    return model


def batch(size=4):
    inputs = [torch.randint(0, 256, (1, 3, 2, 16, 16), dtype=torch.uint8) for _ in range(size)]
    return dict(
        inputs=inputs, data_samples=[ActionDataSample().set_gt_label(i) for i in range(size)]
    )


def step(model, autocast):
    """Losses of one training step and its gradient."""
    data = model.data_preprocessor(batch(), training=True)
    with torch.autocast('cpu', torch.bfloat16, enabled=autocast):
        losses = model(**data, mode='loss')
    losses['loss_cls'].backward()
    return losses


def test_scores_are_float32_though_the_encoder_is_not():
    model, seen = recognizer(), []
    model.backbone.blocks[0].mlp.register_forward_hook(lambda *args: seen.append(args[-1].dtype))
    with torch.autocast('cpu', torch.bfloat16):
        scores = model.cls_head(model.backbone(torch.randn(2, 3, 2, 16, 16)).bfloat16())
    assert seen == [torch.bfloat16]
    assert scores.dtype == torch.float32


def test_the_scores_are_those_of_the_parent():
    head = recognizer().cls_head
    features = torch.randn(3, 12)
    expected = features @ head.fc_cls.weight.T + head.fc_cls.bias
    torch.testing.assert_close(head(features), expected)


def test_the_parent_breaks_where_this_head_does_not():
    with pytest.raises(TypeError, match='BFloat16'):
        step(recognizer('TimeSformerHead'), autocast=True)
    losses = step(recognizer(), autocast=True)
    assert losses.keys() == {'loss_cls', 'top1_acc', 'top5_acc'}
    assert losses['loss_cls'].dtype == torch.float32


def test_soft_labels():
    augments = [dict(type='MixupBlending', alpha=0.8, num_classes=5)]
    model = recognizer(blending=dict(type='RandomBatchAugment', augments=augments))
    losses = step(model, autocast=True)
    assert losses.keys() == {'loss_cls'}
    assert model.cls_head.fc_cls.weight.grad.abs().sum() > 0


def test_predictions_fit_mmactions_metric():
    model, metric = recognizer().eval(), AccMetric()
    data = model.data_preprocessor(batch(), training=False)
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
        samples = model(**data, mode='predict')
    metric.process(None, [sample.to_dict() for sample in samples])
    assert 0 <= metric.evaluate(4)['acc/top1'] <= 1
