"""A small network, and what MMEngine's Runner does with it in one iteration."""

import copy
import math

import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import nn

from pmd_mmaction.hooks.nonfinite.finite_guard import FiniteGuard, Verdict

GOOD = Verdict(True, True, False, None, False)
BAD_LOSS = Verdict(False, False, True, 'loss', False)
BAD_GRADIENT = Verdict(True, False, True, 'gradient', False)


class Net(nn.Module):
    """A loss of ``(weight * x) ** 2`` in the ways that losses are given."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.idle = nn.Parameter(torch.ones(2))  # never has a gradient

    def forward(self, x, mode):
        if mode != 'loss':
            return x
        y = self.layer(x).square()
        return dict(loss_a=y.mean(), loss_list=[y.sum(), y.sum()], accuracy=torch.tensor(math.nan))


class SquareRoot(Net):
    """A finite loss whose gradient is infinite at 0."""

    def forward(self, x, mode):
        return dict(loss=(self.layer(x) * 0).sqrt().sum())


class Overflow(Net):
    """The loss is the square of 4e19, the gradients are small enough."""

    def __init__(self):
        super().__init__()
        self.layer.weight.data.fill_(2e19)


class Loop:
    """What mmengine's Runner does with a model in one iteration."""

    def __init__(self, net=None, optimizer=torch.optim.AdamW, **options):
        torch.manual_seed(0)
        self.net = net or Net()
        optimizer = optimizer(self.net.parameters(), lr=0.1, weight_decay=0.1)
        kind = AmpOptimWrapper if 'loss_scale' in options else OptimWrapper
        self.wrapper = kind(optimizer=optimizer, **copy.deepcopy(options))
        self.wrapper.initialize_count_status(self.net, 0, 100)
        self.guard = FiniteGuard(self.net, self.wrapper)

    def step(self, value=1.0):
        losses = self.net(torch.full((1, 2), value), mode='loss')
        total = sum(
            sum(v) if isinstance(v, list) else v for key, v in losses.items() if 'loss' in key
        )
        self.wrapper.update_params(total)
        return self.guard.close_iteration()

    def state(self):
        moments = self.wrapper.optimizer.state_dict()['state']
        tensors = [x for entry in moments.values() for x in entry.values()]
        return [x.clone() for x in (*self.net.parameters(), *map(torch.as_tensor, tensors))]


def same(a, b):
    return len(a) == len(b) and all(torch.equal(x, y) for x, y in zip(a, b))
