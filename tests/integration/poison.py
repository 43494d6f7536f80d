"""Ways to make the numbers of a training go wrong."""

import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from tests.integration import tiny


@TRANSFORMS.register_module(force=True)
class PoisonClip(BaseTransform):
    """Makes one value of a clip infinite; the last transform.

    Args:
        epochs: in these epochs.
        samples: these samples; None means all.
    """

    def __init__(self, epochs, samples=None) -> None:
        self.epochs, self.samples = epochs, samples
        self.epoch = -1

    def set_epoch(self, seed: int, epoch: int) -> None:
        self.epoch = epoch

    def transform(self, results: dict) -> dict:
        if self.epoch in self.epochs:
            if self.samples is None or results['data_samples'].sample_idx in self.samples:
                results['inputs'] = results['inputs'].float().contiguous()
                results['inputs'].view(-1)[100] = torch.inf
        return results


@HOOKS.register_module(force=True)
class PoisonOrder(Hook):
    """Makes all clips of an epoch infinite if they come in the order of the run's seed.

    Args:
        epoch: the epoch, from 0.
        always: in any order.
    """

    def __init__(self, epoch: int, always: bool = False) -> None:
        self.epoch, self.always = epoch, always

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        first_order = runner.train_dataloader.sampler.seed == runner.seed
        if runner.epoch == self.epoch and (first_order or self.always):
            data_batch['inputs'] = [x.float() * torch.inf for x in data_batch['inputs']]


@HOOKS.register_module(force=True)
class PoisonWeight(Hook):
    """Makes a weight NaN in one iteration.

    Args:
        name: the parameter.
        iteration: when, from 0.
    """

    def __init__(self, name: str, iteration: int) -> None:
        self.name, self.iteration = name, iteration

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter == self.iteration:
            runner.model.get_parameter(self.name).data.view(-1)[0] = torch.nan


@HOOKS.register_module(force=True)
class States(Hook):
    """Notes parameters, optimiser, table and learning rate after each iteration."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.states: list[dict] = []
        self.rates: list[float] = []
        self.videos: list[list[int]] = []

    def before_train(self, runner) -> None:
        self.note(runner)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.note(runner)
        self.rates.append(runner.optim_wrapper.param_groups[0]['lr'])
        self.videos.append([s.sample_idx for s in data_batch['data_samples']])

    def note(self, runner) -> None:
        moments = runner.optim_wrapper.optimizer.state_dict()['state']
        self.states.append(
            dict(
                weights=tiny.snapshot(runner.model),
                moments={i: {k: v.clone() for k, v in m.items()} for i, m in moments.items()},
                table=torch.from_numpy(tiny.table_of(runner)),
            )
        )

    def changed(self, key: str) -> list[bool]:
        """Whether each iteration changed this."""
        pairs = zip(self.states, self.states[1:])
        return [not tiny.same(before[key], after[key]) for before, after in pairs]


def poisoned_config(clips, work_dir, *hooks, poison=None, non_finite=None, **changes) -> Config:
    """A tiny config of one phase of three epochs with poison in it.

    Args:
        clips: result of `tiny.make_clips`.
        work_dir: where the run writes.
        *hooks: further custom hooks.
        poison: arguments of `PoisonClip`.
        non_finite: arguments of `NonFiniteHook`.
        **changes: as for `tiny.tiny_config`.
    """
    changes = dict(ratios=(0.5,), dare=dict(stage_epochs=1)) | changes
    cfg = tiny.tiny_config(clips, work_dir, *hooks, **changes)
    if poison is not None:
        cfg.train_dataloader.dataset.pipeline.append(dict(type='PoisonClip', **poison))
    cfg.default_hooks.non_finite.update(non_finite or {})
    return cfg
