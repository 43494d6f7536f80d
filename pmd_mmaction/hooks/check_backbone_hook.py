"""Refuses fine-tuning from an incomplete encoder."""

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from pmd_mmaction.hooks.unwrapped_model import plain_model
from pmd_mmaction.state_dicts import compare_backbone


@HOOKS.register_module()
class CheckBackboneHook(Hook):
    """Refuses a ``load_from`` that does not fill the backbone, which MMEngine only logs.

    A lost bias, a missing layer or positions for another clip size would cost accuracy without
    an error. The check runs before the weights are loaded; resumed runs and runs without
    ``load_from`` are not checked.

    Raises:
        ValueError: naming what is missing or has another shape, and the remedy.
    """

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Compares the file with the model."""
        if runner._resume:
            return
        weights = plain_model(runner).state_dict()
        differences, found, own = compare_backbone(weights, checkpoint)
        if differences:
            raise ValueError(
                f'{runner._load_from} does not fill the backbone: {differences}. Check the size of '
                'the model and of the clips in the config, or convert the file with '
                'tools/convert_checkpoint.py (--frames and --size interpolate positions)'
            )
        unused = sorted({'.'.join(key.split('.')[:2]) for key in found if key not in own})
        runner.logger.info(
            f'The backbone is loaded from {runner._load_from}; not used from it: '
            f'{", ".join(unused) or "nothing"}'
        )
