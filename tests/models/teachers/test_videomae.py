"""VideoMAETeacher against MMAction2's VisionTransformer."""

import pytest
import torch
import torch.nn.functional as F
from mmaction.models.backbones.vit_mae import VisionTransformer

from pmd_mmaction.models import VideoMAETeacher
from pmd_mmaction.models.teachers import LayerGroup


@pytest.fixture
def stock(sizes, randomize):
    """Builds a random stock encoder: pre-trained ones end with a norm, fine-tuned ones do not."""

    def make(fine_tuned, **options):
        cfg = {**sizes.video_teacher, **options}
        net = VisionTransformer(**cfg, use_mean_pooling=fine_tuned, return_feat_map=True)
        return randomize(net, seed=3).eval()

    return make


def save(net, path, prefix='', **extra):
    state = {prefix + key: value for key, value in net.state_dict().items()}
    torch.save(dict(state_dict={**state, **extra}), path)
    return str(path)


@torch.no_grad()
@pytest.mark.parametrize('fine_tuned', [False, True])
@pytest.mark.parametrize('prefix', ['', 'backbone.'])
@pytest.mark.parametrize('target_norm', ['layer_norm', 'none'])
def test_features_equal_the_stock_encoder(
    sizes, stock, random_clips, tmp_path, fine_tuned, prefix, target_norm
):
    net = stock(fine_tuned)
    head = {'cls_head.fc_cls.weight': torch.zeros(4, 32)} if fine_tuned else {}
    path = save(net, tmp_path / 'teacher.pth', prefix, **head)
    teacher = VideoMAETeacher(path, target_norm=target_norm, **sizes.video_teacher)
    expected = net(random_clips()).flatten(2).transpose(1, 2)
    if target_norm == 'layer_norm':
        expected = F.layer_norm(expected, (32,))
    output = teacher(random_clips())
    torch.testing.assert_close(output.features, expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_without_last_norm_the_features_are_those_of_the_last_layer(
    sizes, stock, random_clips, tmp_path
):
    net = stock(False)
    path = save(net, tmp_path / 'teacher.pth')
    teacher = VideoMAETeacher(path, target_norm='none', last_norm=False, **sizes.video_teacher)
    net.norm = torch.nn.Identity()
    expected = net(random_clips()).flatten(2).transpose(1, 2)
    torch.testing.assert_close(teacher(random_clips()).features, expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_layer_statistics_equal_those_of_stored_layers(sizes, stock, random_clips, tmp_path):
    net = stock(False)
    teacher = VideoMAETeacher(save(net, tmp_path / 'teacher.pth'), **sizes.video_teacher)
    index = torch.tensor([[0, 5, 31], [7, 8, 9]])
    output = teacher(random_clips(), [LayerGroup(g, index) for g in (range(0, 2), range(2, 3))])
    tokens, layers = net.patch_embed(random_clips())[0] + net.pos_embed, []
    for block in net.blocks:
        tokens = block(tokens)
        picked = torch.stack([tokens[b, index[b]] for b in range(2)])
        layers.append(F.layer_norm(picked, (32,)))
    for group, statistics in zip(([0, 1], [2]), output.groups):
        expected = torch.stack([layers[i] for i in group])
        spread = expected.var(0, unbiased=False).mean(-1)
        torch.testing.assert_close(statistics.mean, expected.mean(0), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(statistics.spread, spread, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_channel_norm_looks_at_all_tokens_whatever_a_term_reads(sizes, random_clips):
    teacher = VideoMAETeacher(target_norm='channel_norm', **sizes.video_teacher)
    index = torch.tensor([[0, 5, 31], [1, 2, 30]])
    output = teacher(random_clips(), [LayerGroup(range(1, 2)), LayerGroup(range(1, 2), index)])
    whole, some = (group.mean for group in output.groups)
    torch.testing.assert_close(whole.mean(1), torch.zeros(2, 32), rtol=0, atol=1e-5)
    torch.testing.assert_close(some, torch.stack([t[i] for t, i in zip(whole, index)]))


def test_fixed_positions_may_be_absent_from_the_file(sizes, stock, tmp_path):
    net = stock(False)
    state = net.state_dict()
    del state['pos_embed']
    torch.save(state, tmp_path / 'teacher.pth')
    teacher = VideoMAETeacher(str(tmp_path / 'teacher.pth'), **sizes.video_teacher)
    torch.testing.assert_close(teacher.network.pos_embed, net.pos_embed)


def test_learnt_positions_may_not_be_absent(sizes, stock, tmp_path):
    state = stock(False, use_learnable_pos_emb=True).state_dict()
    cfg = dict(sizes.video_teacher, position='learnable')
    torch.save(state, tmp_path / 'whole.pth')
    teacher = VideoMAETeacher(str(tmp_path / 'whole.pth'), **cfg)
    assert torch.equal(teacher.network.pos_embed, state.pop('pos_embed'))
    torch.save(state, tmp_path / 'part.pth')
    with pytest.raises(ValueError, match=r"missing \['pos_embed'\]"):
        VideoMAETeacher(str(tmp_path / 'part.pth'), **cfg)


@pytest.mark.parametrize(
    'other, message',
    [
        (dict(embed_dims=40), 'wrong shapes'),
        (dict(depth=4), 'unexpected'),
        (dict(depth=2), 'missing'),
        (dict(num_frames=8), r'pos_embed: \(1, 64, 32\) in the file, \(1, 32, 32\) in the model'),
    ],
)
def test_a_file_of_another_size_is_refused(sizes, stock, tmp_path, other, message):
    path = save(stock(False, **other), tmp_path / 'other.pth')
    with pytest.raises(ValueError, match=message):
        VideoMAETeacher(path, **sizes.video_teacher)


def test_without_a_file_the_weights_are_random(sizes):
    teacher = VideoMAETeacher(**sizes.video_teacher)
    assert (teacher.depth, teacher.embed_dims, teacher.token_grid) == (3, 32, (2, 4, 4))
    assert teacher.network.blocks[0].attn.proj.weight.std() > 0.05
    assert teacher.network.blocks[0].attn.proj.bias.abs().max() == 0


def test_impossible_options_are_named(sizes):
    with pytest.raises(ValueError, match="target_norm is 'l2'"):
        VideoMAETeacher(target_norm='l2', **sizes.video_teacher)
    with pytest.raises(TypeError, match='width'):
        VideoMAETeacher(width=3, **sizes.video_teacher)
