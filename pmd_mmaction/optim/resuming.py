"""Resuming checkpoints whose parameter groups differ from those of the current run."""

from collections.abc import Sequence

from torch.nn import Parameter
from torch.optim import Optimizer

from pmd_mmaction.optim.merged_groups import merge_groups

# Values that a scheduler keeps per group, and for the base learning rate.
_PER_GROUP = ('base_values', '_last_value', 'min_values')


class Regrouping:
    """Gives an optimizer the merged parameter groups of the state that it is about to load.

    As usual in torch, the settings of the checkpoint override those of the config.

    Args:
        names: name of each trained parameter of the model.
        order: the same parameters in the order in which MMEngine's constructor, with one group
            each, lists them. A state without names is in this order.
    """

    def __init__(self, names: dict[Parameter, str], order: Sequence[Parameter]) -> None:
        self.names = names
        self.order = order

    def __call__(self, optimizer: Optimizer, state_dict: dict) -> dict:
        """The state to load.

        Raises:
            ValueError: if it belongs to other parameters.
        """
        parameters = self._parameters(state_dict['param_groups'])
        merged, _ = merge_groups(state_dict['param_groups'], {})
        for group in merged:
            group['param_names'] = [self.names[parameters[i]] for i in group['params']]
        optimizer.param_groups = [
            {**group, 'params': [parameters[i] for i in group['params']]} for group in merged
        ]
        return {**state_dict, 'param_groups': merged}

    def _parameters(self, groups: list[dict]) -> dict[int, Parameter]:
        """Maps each index in a state to its parameter."""
        numbers = [i for group in groups for i in group['params']]
        names = [name for group in groups for name in group.get('param_names', ())]
        by_name = {name: parameter for parameter, name in self.names.items()}
        if len(names) == len(numbers) and set(names) != set(by_name):
            alien = sorted(set(names) ^ set(by_name))
            raise ValueError(_refusal(f'{alien[0]} is trained in one of the two only'))
        if len(numbers) != len(self.order):
            raise ValueError(
                _refusal(f'it has {len(numbers)} parameters, this run trains {len(self.order)}')
            )
        if len(names) == len(numbers):
            return {i: by_name[name] for i, name in zip(numbers, names)}
        return dict(zip(numbers, self.order))


def _refusal(why: str) -> str:
    return (
        f'the optimizer of the checkpoint does not fit the model: {why}. Resume with the config '
        'of the checkpoint, or start afresh from its weights with load_from and resume=False'
    )


def regroup_schedulers(checkpoint: dict, runner) -> None:
    """Gives the schedulers of a checkpoint the groups that the optimizer will have.

    Args:
        checkpoint: checkpoint of a Runner; its schedulers are modified.
        runner: the Runner, with the optimizer of the current run.
    """
    groups = checkpoint.get('optimizer', {}).get('param_groups')
    if groups is None or not getattr(runner.optim_wrapper, 'merges_groups', False):
        return
    _, firsts = merge_groups(groups, {})
    for state in checkpoint.get('param_schedulers', []):
        for key in _PER_GROUP:
            if key in state:
                values, base = state[key][: len(groups)], state[key][len(groups) :]
                state[key] = [values[i] for i in firsts] + base
