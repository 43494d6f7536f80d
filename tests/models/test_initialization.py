"""How the trained parts start, as the Runner builds them: the figures of VideoMAE and MVD."""

import math

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.runner import Runner

from pmd_mmaction.models import MaskedAutoencoder
from pmd_mmaction.models.initialization import draw_tokens

INPUTS = 3 * 2 * 16 * 16
BACKBONE = dict(
    type='MaskedVisionTransformer',
    img_size=32,
    patch_size=16,
    num_frames=4,
    tubelet_size=2,
    embed_dims=384,
    depth=3,
    num_heads=6,
    use_mean_pooling=False,
)
TEACHER = dict(BACKBONE, type='VideoMAETeacher', embed_dims=48, num_heads=1)
TEACHER.pop('use_mean_pooling')
PARTS = dict(backbone=BACKBONE, masker=dict(type='TubeMasker'))
MODELS_FROM_SCRATCH = {
    'PMDRecognizer': dict(
        PARTS,
        decoder=dict(type='FeatureDecoder'),
        video_teacher=TEACHER,
        base=dict(),
        clfa=dict(type='CLFATerm', align_tokens='masked'),
    ),
    'MaskedAutoencoder': dict(PARTS, decoder=dict(type='FeatureDecoder'), mask_ratio=0.75),
}


@pytest.fixture(scope='module', params=sorted(MODELS_FROM_SCRATCH))
def trained(request, tmp_path_factory):
    """A model as the Runner builds and initialises it."""
    data = dict(batch_size=1, sampler=dict(type='DefaultSampler'), dataset=[0])
    runner = Runner.from_cfg(
        Config(
            dict(
                model=dict(type=request.param, **MODELS_FROM_SCRATCH[request.param]),
                default_scope='mmaction',
                experiment_name=f'start_of_{request.param}',
                work_dir=str(tmp_path_factory.mktemp('start')),
                randomness=dict(seed=0),
                train_dataloader=data,
                train_cfg=dict(by_epoch=True, max_epochs=1),
                optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            )
        )
    )
    runner._init_model_weights()
    return runner.model


def spread_of_uniform(values: torch.Tensor, bound: float) -> None:
    assert 0.99 * bound < values.abs().max() <= bound
    assert values.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1)


def test_the_patch_embedding_keeps_the_default_of_a_convolution(trained):
    kernel = trained.backbone.patch_embed.projection
    bound = 1 / math.sqrt(INPUTS)  # Kaiming uniform with a = sqrt(5)
    assert bound == pytest.approx(0.0255, abs=1e-4)
    spread_of_uniform(kernel.weight, bound)
    spread_of_uniform(kernel.bias, bound)
    assert kernel.weight.std().item() == pytest.approx(0.0147, abs=1e-4)


def test_mask_tokens_are_cut_at_one_deviation(trained):
    tokens = {n: p for n, p in trained.named_parameters() if n.endswith('_token')}
    assert len(tokens) == (1 if isinstance(trained, MaskedAutoencoder) else 2)
    for token in tokens.values():
        assert 0.019 < token.abs().max() <= 0.02
        assert token.std().item() == pytest.approx(0.0108, rel=0.1)


def test_linear_layers_start_with_xavier_and_without_bias(trained):
    linear = {n: m for n, m in trained.named_modules() if isinstance(m, torch.nn.Linear)}
    linear = {n: m for n, m in linear.items() if not n.startswith('teachers.')}
    assert len(linear) > 12
    for layer in linear.values():
        bound = math.sqrt(6 / sum(layer.weight.shape))
        assert 0.99 * bound < layer.weight.abs().max() <= bound
        assert layer.bias is None or not layer.bias.any()
    biases = [p for n, p in trained.named_parameters() if n.endswith(('q_bias', 'v_bias'))]
    assert biases and not any(bias.any() for bias in biases)


@pytest.mark.usefixtures('mmaction_scope')
@pytest.mark.parametrize('img_size', [32, (16, 64)])
def test_learnable_positions_are_cut_likewise(img_size):
    network = MODELS.build(dict(BACKBONE, img_size=img_size, position='learnable'))
    network.init_weights()
    assert 0.0199 < network.pos_embed.abs().max() <= 0.02
    assert network.pos_embed.std().item() == pytest.approx(0.0108, rel=0.05)


@pytest.mark.usefixtures('mmaction_scope')
def test_weights_of_a_file_are_not_drawn_again(tmp_path):
    """mmengine loads a part's own file in the middle of ``init_weights``."""
    cfg = dict(type='FeatureDecoder', in_dims=8, out_dims=7, token_grid=(1, 2, 2))
    source = MODELS.build(cfg)
    with torch.no_grad():
        for parameter in source.parameters():
            parameter.fill_(0.5)
    torch.save(source.state_dict(), tmp_path / 'decoder.pth')
    pretrained = dict(type='Pretrained', checkpoint=str(tmp_path / 'decoder.pth'))
    decoder = MODELS.build(dict(cfg, init_cfg=pretrained))
    decoder.init_weights()
    assert all((parameter == 0.5).all() for parameter in decoder.parameters())


@pytest.mark.usefixtures('mmaction_scope')
def test_an_initialisation_of_the_config_wins():
    constant = dict(type='Constant', layer='Conv3d', val=3.0, bias=4.0)
    network = MODELS.build(dict(BACKBONE, init_cfg=constant))
    network.init_weights()
    kernel = network.patch_embed.projection
    assert (kernel.weight == 3).all() and (kernel.bias == 4).all()


def test_tokens_are_normal_between_the_cuts():
    values = draw_tokens(100, 1000).double().flatten()
    assert values.mean().item() == pytest.approx(0, abs=1e-4)
    assert values.std().item() == pytest.approx(0.02 * 0.5396, rel=0.01)
    # of a normal cut at one deviation, 0.5609 lies within half of it; of a uniform 0.5
    assert (values.abs() < 0.01).double().mean().item() == pytest.approx(0.5609, abs=0.01)
