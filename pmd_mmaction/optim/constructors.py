"""Optimizer constructors of MMEngine and MMAction2, with few groups and fused steps."""

import torch
from mmaction.engine.optimizers import LearningRateDecayOptimizerConstructor
from mmengine.logging import print_log
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIMIZERS
from torch import nn

from pmd_mmaction.optim.merged_groups import merge_groups
from pmd_mmaction.optim.resuming import Regrouping

# The optimizers whose fused step runs on a GPU; Adagrad has one for the CPU alone.
_FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MergedOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """MMEngine's ``DefaultOptimWrapperConstructor``, with equal parameter groups merged.

    With ``paramwise_cfg`` that constructor makes one group per parameter, 256 for a ViT-B, and the
    host takes longer for so many than a GPU for the step. The result of a step is bit-identical.
    Groups are named (``decay``, ``no_decay``) and list the names of their parameters; checkpoints
    of MMEngine's constructor, or of another config, can be resumed.

    Steps are fused (one kernel instead of a dozen) if all trained parameters are floating-point
    tensors on a GPU and ``optimizer`` sets neither ``fused`` nor ``foreach``.

    Args:
        optim_wrapper_cfg: config of the wrapper, including its ``optimizer``.
        paramwise_cfg: rules for learning rate and decay of parameters, as in MMEngine.
    """

    def add_params(self, params: list[dict], module: nn.Module, **kwargs) -> None:
        """Adds the parameters of the model to ``params``, in few groups."""
        if kwargs.get('prefix'):  # the parent calls itself for each part of the model
            super().add_params(params, module, **kwargs)
            return
        found: list[dict] = []
        super().add_params(found, module, **kwargs)
        defaults = dict(lr=self.base_lr, weight_decay=self.base_wd)
        defaults = {key: value for key, value in defaults.items() if value is not None}
        self._found = found
        params += merge_groups(found, defaults)[0]

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Builds optimizer and wrapper.

        Args:
            model: with or without its distributed wrapper.

        Returns:
            A wrapper whose optimizer can resume states with other parameter groups.
        """
        model = getattr(model, 'module', model)
        if self._may_fuse(model):
            self.optimizer_cfg = {**self.optimizer_cfg, 'fused': True}
        self._found = []
        wrapper = super().__call__(model)
        optimizer = wrapper.optimizer
        names = {parameter: name for name, parameter in model.named_parameters()}
        for group in optimizer.param_groups:
            group['param_names'] = [names[parameter] for parameter in group['params']]
        # in the order of one group per parameter; without paramwise_cfg there is one of all
        order = [p for group in self._found or optimizer.param_groups for p in group['params']]
        trained = {parameter: names[parameter] for parameter in order}
        optimizer.register_load_state_dict_pre_hook(Regrouping(trained, order))
        wrapper.merges_groups = True
        if len(self._found) > 1 and wrapper.base_param_settings is None:
            # MMEngine logs base_lr where there are several groups: merged, too
            wrapper.base_param_settings = {'params': torch.zeros(1), **optimizer.defaults}
        print_log(f'Parameter groups: {_summary(optimizer)}', logger='current')
        return wrapper

    def _may_fuse(self, model: nn.Module) -> bool:
        """Whether fused steps are possible on a GPU and the config does not choose otherwise."""
        kind = self.optimizer_cfg['type']
        if isinstance(kind, str):
            with OPTIMIZERS.switch_scope_and_registry(None) as registry:
                kind = registry.get(kind)
        said = ('fused', 'foreach', 'differentiable')
        if kind not in _FUSED or any(self.optimizer_cfg.get(key) is not None for key in said):
            return False
        trained = [p for p in model.parameters() if p.requires_grad]
        return all(p.is_cuda and p.is_floating_point() for p in trained)


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MergedLayerDecayConstructor(
    MergedOptimWrapperConstructor, LearningRateDecayOptimizerConstructor
):
    """MMAction2's ``LearningRateDecayOptimizerConstructor``, with the parent's additions.

    Each layer has its own learning rate, ``decay_rate`` times that of the layer above, hence its
    own groups: ``layer_3_decay`` and ``layer_3_no_decay``. Layers with equal rates are merged.

    Args:
        optim_wrapper_cfg: config of the wrapper, including its ``optimizer``.
        paramwise_cfg: ``num_layers`` and ``decay_rate``.
    """


def _summary(optimizer: torch.optim.Optimizer) -> str:
    groups = [
        f'{group.get("group_name", "all")} ({len(group["params"])} parameters, '
        f'lr {group["lr"]:.4g}, weight decay {group.get("weight_decay", 0):.4g})'
        for group in optimizer.param_groups
    ]
    return ', '.join(groups) + (', fused' if optimizer.defaults.get('fused') else '')
