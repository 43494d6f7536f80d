"""A small network with what the rules of parameter groups distinguish, and steps on it."""

import copy

import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from torch import nn

PRETRAINING = dict(
    norm_decay_mult=0.0,
    bias_decay_mult=0.0,
    custom_keys={'mask_token': dict(decay_mult=0.0), 'pos_embed': dict(decay_mult=0.0)},
)
SLOW_HEAD = {**PRETRAINING, 'custom_keys': {'head': dict(lr_mult=0.1), 'token': dict(decay_mult=0)}}
LAYER_DECAY = dict(num_layers=2, decay_rate=0.5)
MERGED, UNMERGED = 'MergedOptimWrapperConstructor', 'DefaultOptimWrapperConstructor'
BY_LAYER, OF_MMACTION = 'MergedLayerDecayConstructor', 'LearningRateDecayOptimizerConstructor'


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(4)
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return x + self.fc(self.norm(x))


class TinyVisionTransformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch_embed = nn.Linear(4, 4)
        self.pos_embed = nn.Parameter(torch.zeros(4))
        self.mask_token = nn.Parameter(torch.zeros(1, 4))
        self.blocks = nn.Sequential(Block(), Block())
        self.frozen = nn.Parameter(torch.zeros(4), requires_grad=False)

    def forward(self, x):
        return self.blocks(self.patch_embed(x) + self.pos_embed + self.mask_token)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = TinyVisionTransformer()
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.backbone(x))


def build(constructor, paramwise=PRETRAINING, network=None, wrapper=None, **optimizer):
    """A network and its optimizer wrapper, as a Runner builds it."""
    init_default_scope('mmaction')
    torch.manual_seed(0)
    network = network or Network()
    optimizer = dict(type='AdamW', lr=0.1, weight_decay=0.05) | optimizer
    cfg = dict(optimizer=optimizer, constructor=constructor, **wrapper or {})
    if paramwise is not None:
        cfg['paramwise_cfg'] = copy.deepcopy(paramwise)
    return network, build_optim_wrapper(network, cfg)


def train(network, wrapper, steps=3, seed=0):
    """Some steps on random input."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        wrapper.update_params(network(torch.randn(8, 4, generator=generator)).square().mean())


def same(a: nn.Module, b: nn.Module) -> bool:
    """Bit-equality of two networks."""
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters()))


def moments(network, wrapper) -> dict:
    """The state of the optimizer by name of the parameter."""
    state = wrapper.optimizer.state
    return {
        name: {k: v.clone() for k, v in state[p].items()}
        for name, p in network.named_parameters()
        if p in state
    }
