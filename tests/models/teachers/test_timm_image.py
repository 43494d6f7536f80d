"""TimmImageTeacher against timm itself."""

import copy

import pytest
import timm
import torch
import torch.nn.functional as F

from pmd_mmaction.functional import sincos_2d
from pmd_mmaction.models import TimmImageTeacher
from pmd_mmaction.models.teachers import LayerGroup

PREFIXES = [
    dict(),  # a class token
    dict(class_token=False, global_pool='avg', fc_norm=False),
    dict(reg_tokens=3),
    dict(pre_norm=True),
]


def config(sizes, model_kwargs=None, **options):
    """Arguments of a small teacher."""
    cfg = copy.deepcopy(sizes.image_teacher)
    cfg['model_kwargs'].update(model_kwargs or {})
    return {**cfg, **options}


@pytest.fixture
def make(sizes, randomize):
    def make(model_kwargs=None, **options):
        teacher = TimmImageTeacher(**config(sizes, model_kwargs, **options))
        randomize(teacher.network, std=0.2)
        return teacher

    return make


def stock_model(teacher, sizes, model_kwargs):
    """timm's own model with the teacher's weights."""
    cfg = sizes.image_teacher
    kwargs = {'num_classes': 0, **cfg['model_kwargs'], **model_kwargs}
    net = timm.create_model(cfg['model_name'], **kwargs).eval()
    net.load_state_dict(teacher.network.state_dict())
    return net


def by_frames(clips, look):
    """Applies ``look`` to the first frame of each tubelet; tokens in the order (t, h, w)."""
    rows = []
    for clip in clips:
        tokens = [look(clip[None, :, frame]) for frame in range(0, clip.shape[1], 2)]
        rows.append(torch.cat(tokens, 1))
    return torch.cat(rows)


@torch.no_grad()
@pytest.mark.parametrize('prefix', PREFIXES)
@pytest.mark.parametrize('target_norm', ['layer_norm', 'none'])
def test_features_equal_timm(make, sizes, random_clips, prefix, target_norm):
    teacher = make(prefix, normalization='data', target_norm=target_norm)
    net, clips = stock_model(teacher, sizes, prefix), random_clips(3)
    drop = net.num_prefix_tokens
    expected = by_frames(clips, lambda frame: net.forward_features(frame)[:, drop:])
    if target_norm == 'layer_norm':
        expected = F.layer_norm(expected, (20,))
    output = teacher(clips)
    assert output.groups == ()
    torch.testing.assert_close(output.features, expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_timm_normalization_undoes_that_of_the_data(make, sizes, random_clips):
    mean, std = torch.tensor([100.0, 110.0, 120.0]), torch.tensor([50.0, 60.0, 70.0])
    teacher = make(data_mean=mean.tolist(), data_std=std.tolist(), target_norm='none')
    net, clips = stock_model(teacher, sizes, {}), random_clips()

    def look(frame):
        pixels = frame * std.view(1, 3, 1, 1) + mean.view(1, 3, 1, 1)  # 0-255
        return net.forward_features((pixels / 255 - 0.5) / 0.5)[:, 1:]  # as timm notes

    torch.testing.assert_close(
        teacher(clips).features, by_frames(clips, look), rtol=1e-4, atol=1e-4
    )


def test_equal_normalizations_leave_the_pixels_alone(make, sizes):
    assert not make().same_normalization
    assert make(data_mean=[127.5] * 3, data_std=[127.5] * 3).same_normalization
    assert make(normalization='data').same_normalization


@torch.no_grad()
@pytest.mark.parametrize('prefix', PREFIXES[:2])
@pytest.mark.parametrize('index', [None, [[0, 5, 31], [7, 8, 9]]])
def test_layer_statistics_equal_those_of_stored_layers(make, sizes, random_clips, prefix, index):
    teacher = make(prefix, normalization='data')
    net, clips = stock_model(teacher, sizes, prefix), random_clips()
    index = None if index is None else torch.tensor(index)
    groups = (range(3, 6), range(6, 9))
    output = teacher(clips, [LayerGroup(layers, index) for layers in groups])
    for group, statistics in zip(groups, output.groups):
        layers = []
        for layer in group:
            tokens = by_frames(
                clips,
                lambda frame, layer=layer: net.forward_intermediates(
                    frame, indices=[layer], norm=False, output_fmt='NLC', intermediates_only=True
                )[0],
            )
            if index is not None:
                tokens = torch.stack([tokens[b, index[b]] for b in range(2)])
            layers.append(F.layer_norm(tokens, (20,)))
        layers = torch.stack(layers)
        spread = layers.var(0, unbiased=False).mean(-1)
        torch.testing.assert_close(statistics.mean, layers.mean(0), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(statistics.spread, spread, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('prefix', PREFIXES)
def test_positions_may_be_those_of_mae_whatever_the_weights_hold(make, sizes, prefix, tmp_path):
    source = make(prefix).network.state_dict()
    torch.save(dict(model=source), tmp_path / 'mae.pth')
    path = str(tmp_path / 'mae.pth')
    own = TimmImageTeacher(**config(sizes, prefix, checkpoint=path)).network.pos_embed
    torch.testing.assert_close(own, source['pos_embed'])
    computed = TimmImageTeacher(**config(sizes, prefix, checkpoint=path, position='sincos_2d'))
    table = computed.network.pos_embed
    assert table.shape == own.shape and not table.requires_grad
    torch.testing.assert_close(table[:, -16:], sincos_2d((4, 4), 20))
    assert not table[:, :-16].any()


def test_a_file_without_positions_will_do_where_they_are_computed(make, sizes, tmp_path):
    source = make().network.state_dict()
    source.pop('pos_embed')
    torch.save(dict(model=source), tmp_path / 'mae.pth')
    path = str(tmp_path / 'mae.pth')
    TimmImageTeacher(**config(sizes, checkpoint=path, position='sincos_2d'))
    with pytest.raises(ValueError, match='pos_embed'):
        TimmImageTeacher(**config(sizes, checkpoint=path))


def test_positions_cannot_be_computed_for_a_model_that_adds_none(make):
    with pytest.raises(ValueError, match="the model adds no positions: take position='own'"):
        make(dict(pos_embed='none'), position='sincos_2d')


def test_sizes_are_those_of_the_network(make):
    teacher = make()
    assert (teacher.depth, teacher.embed_dims, teacher.token_grid) == (9, 20, (2, 4, 4))


def test_a_checkpoint_of_mae_is_loaded(make, sizes, tmp_path):
    source = make().network.state_dict()
    # MAE's full file also holds the decoder.
    extra = {'mask_token': torch.zeros(1, 1, 20), 'decoder_pos_embed': torch.zeros(1, 17, 8)}
    torch.save({'model': {**source, **extra}}, tmp_path / 'mae.pth')
    loaded = TimmImageTeacher(**sizes.image_teacher, checkpoint=str(tmp_path / 'mae.pth'))
    for key, value in loaded.network.state_dict().items():
        assert torch.equal(value, source[key]), key


def test_an_incomplete_checkpoint_is_refused(make, tmp_path):
    state = make().network.state_dict()
    del state['blocks.0.attn.qkv.weight']
    torch.save(state, tmp_path / 'part.pth')
    with pytest.raises(ValueError, match=r"missing \['blocks\.0\.attn\.qkv\.weight'\]"):
        make(checkpoint=str(tmp_path / 'part.pth'))


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(num_frames=5), 'num_frames=5 is not a multiple of tubelet_size=2'),
        (dict(normalization='clip'), "normalization is 'clip'"),
        (dict(target_norm='l2'), "target_norm is 'l2'"),
        (dict(checkpoint='a.pth', pretrained=True), 'not both'),
        (dict(model_name='resnet18', model_kwargs={}), 'resnet18 is a ResNet'),
    ],
)
def test_impossible_options_are_named(sizes, options, message):
    with pytest.raises(ValueError, match=message):
        TimmImageTeacher(**{**sizes.image_teacher, **options})
