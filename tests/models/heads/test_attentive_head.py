"""The attentive probe against its formula in loops, and that the encoder stays as it is."""

import math

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample

pytestmark = pytest.mark.usefixtures('mmaction_scope')
DIMS, HEADS, CLASSES = 12, 3, 5


def build_head(**changes):
    torch.manual_seed(0)
    head = MODELS.build(
        dict(
            type='AttentiveHead',
            num_classes=CLASSES,
            in_channels=DIMS,
            num_heads=HEADS,
            mlp_ratio=2.0,
            average_clips='prob',
            **changes,
        )
    )
    for parameter in head.parameters():  # norms and biases too
        torch.nn.init.normal_(parameter, std=0.5)
    return head


def norm(layer, x):
    deviation = ((x - x.mean()) ** 2).mean().add(layer.eps).sqrt()
    return (x - x.mean()) / deviation * layer.weight + layer.bias


def by_hand(head, feature_map):
    """The scores of one clip, token by token and head by head."""
    tokens = [norm(head.norm_tokens, t) for t in feature_map.reshape(DIMS, -1).T]
    to_q, to_k, to_v = head.attention.in_proj_weight.chunk(3)
    q_bias, k_bias, v_bias = head.attention.in_proj_bias.chunk(3)
    query = head.query[0, 0]
    mixed, width = [], DIMS // HEADS
    for h in range(HEADS):
        rows = slice(h * width, (h + 1) * width)
        q = (to_q @ query + q_bias)[rows]
        weights = [math.exp(q @ (to_k @ t + k_bias)[rows] / math.sqrt(width)) for t in tokens]
        values = [(to_v @ t + v_bias)[rows] for t in tokens]
        mixed.append(sum(w * v for w, v in zip(weights, values)) / sum(weights))
    projection = head.attention.out_proj
    u = query + projection.weight @ torch.cat(mixed) + projection.bias
    first, _, second = head.mlp
    hidden = first.weight @ norm(head.norm_query, u) + first.bias
    hidden = hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2
    v = u + second.weight @ hidden + second.bias
    return head.fc_cls.weight @ v + head.fc_cls.bias


@torch.no_grad()
def test_the_scores_are_those_of_the_formula():
    head, maps = build_head(), torch.randn(3, DIMS, 2, 2, 3)
    torch.testing.assert_close(head(maps), torch.stack([by_hand(head, m) for m in maps]))


@torch.no_grad()
def test_scores_are_float32_under_autocast():
    head, maps = build_head(), torch.randn(2, DIMS, 2, 2, 2).bfloat16()
    with torch.autocast('cpu', torch.bfloat16):
        scores = head(maps)
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores, head(maps.float()))


@pytest.mark.parametrize('shape', [(2, DIMS), (2, DIMS + 1, 1, 2, 2)])
def test_other_features_are_refused(shape):
    with pytest.raises(ValueError, match='return_feat_map=True and cls_head.in_channels'):
        build_head()(torch.zeros(shape))


def test_the_probe_learns_and_the_encoder_does_not():
    size = dict(img_size=16, patch_size=8, num_frames=2, embed_dims=DIMS, depth=2, num_heads=2)
    model = MODELS.build(
        dict(
            type='Recognizer3D',
            data_preprocessor=dict(type='ActionDataPreprocessor', format_shape='NCTHW'),
            backbone=dict(
                type='MaskedVisionTransformer',
                use_mean_pooling=False,
                return_feat_map=True,
                frozen=True,
                drop_path_rate=0.5,
                **size,
            ),
            cls_head=dict(
                type='AttentiveHead', num_classes=3, in_channels=DIMS, average_clips='prob'
            ),
        )
    )
    model.init_weights()
    model.train()
    assert model.cls_head.training and not model.backbone.training
    inputs = [torch.randint(0, 256, (2, 3, 2, 16, 16), dtype=torch.uint8) for _ in range(2)]
    samples = [ActionDataSample().set_gt_label(i) for i in range(2)]
    data = dict(inputs=[clips[:1] for clips in inputs], data_samples=samples)
    losses = model(**model.data_preprocessor(data, training=True), mode='loss')
    losses['loss_cls'].backward()
    assert all(p.grad is None for p in model.backbone.parameters())
    assert all(p.grad is not None for p in model.cls_head.parameters())
    with torch.no_grad():  # two clips of each video
        data = model.data_preprocessor(dict(inputs=inputs, data_samples=samples), training=False)
        found = torch.stack([s.pred_score for s in model.eval()(**data, mode='predict')])
        maps = model.backbone(data['inputs'].flatten(0, 1))
        expected = model.cls_head(maps).softmax(1).view(2, 2, 3).mean(1)
    torch.testing.assert_close(found, expected)
