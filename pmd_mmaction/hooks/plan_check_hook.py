"""Refuses inconsistent training runs before the first iteration."""

from collections import Counter

from mmengine.dataset import ClassBalancedDataset, RepeatDataset
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from torch import nn

from pmd_mmaction.arguments import Whole, checked
from pmd_mmaction.contracts import (
    Curriculum,
    DifficultyModel,
    MaskedModel,
    PhasedModel,
    find_hook,
)
from pmd_mmaction.functional import Phase
from pmd_mmaction.hooks.box_order import check_crop_boxes, check_object_boxes
from pmd_mmaction.hooks.checkpoints.batch_change import check_epoch_length
from pmd_mmaction.hooks.checkpoints.safe_checkpoint_hook import SafeCheckpointHook
from pmd_mmaction.hooks.curriculum.optimizer_restart import check_coverage, check_restartable
from pmd_mmaction.hooks.difficulty.dare_hook import DAREHook
from pmd_mmaction.hooks.step_arithmetic import (
    check_accumulation,
    log_batch,
    warn_of_other_steps,
)
from pmd_mmaction.hooks.step_seed_hook import StepSeedHook
from pmd_mmaction.hooks.unwrapped_datasets import plain_datasets, step_names, with_wrappers
from pmd_mmaction.hooks.unwrapped_model import plain_model

REPEATING = (RepeatDataset, ClassBalancedDataset)


@HOOKS.register_module()
class PlanCheckHook(Hook):
    """Refuses mistakes that would show after days or never, and logs the batch arithmetic.

    It inspects the built Runner and changes nothing. Pre-training, teacher training and
    fine-tuning are all checked, each for the parts that it has.

    Args:
        ranks: processes (GPUs) that batch sizes and learning rate are meant for; a warning tells
            what another number makes of them, and how to keep them. None: any number.

    Raises:
        ValueError: in ``before_train``, saying which parts do not fit together and what to change.
    """

    priority = 'VERY_HIGH'  # before hooks create tables and read files

    @checked
    def __init__(self, ranks: Whole | None = None) -> None:
        self.ranks = ranks

    def before_train(self, runner) -> None:
        """Checks the run."""
        model, curriculum = plain_model(runner), find_hook(runner, Curriculum)
        if find_hook(runner, SafeCheckpointHook) is None:
            check_epoch_length(runner.epoch, runner.iter, len(runner.train_dataloader))
        _check_hooks(runner)
        check_accumulation(runner)
        if isinstance(model, MaskedModel):
            _check_colours(model)
            _check_seeds(runner)
            _check_objects(runner, model)
            _check_splits(runner)
        if curriculum is not None:
            _check_phases(runner, model, curriculum)
        elif isinstance(model, PhasedModel):
            _check_without_phases(model, runner.max_epochs)
        if isinstance(model, DifficultyModel) and model.difficulty_spec is not None:
            _check_difficulty(runner, curriculum)
        log_batch(runner)
        if self.ranks is not None:
            warn_of_other_steps(runner, self.ranks)


def _check_phases(runner, model: nn.Module, curriculum: Curriculum) -> None:
    """Refuses phases that the model, the loop or the schedulers do not have."""
    if not isinstance(model, PhasedModel):
        raise ValueError(
            'ProgressivePhaseHook needs a model with phases, such as PMDRecognizer; the model is a '
            f'{type(model).__name__}: remove the hook'
        )
    total = curriculum.phases.total_epochs
    if total != runner.max_epochs:
        raise ValueError(
            f'the phases have {total} epochs in total, but train_cfg.max_epochs '
            f'is {runner.max_epochs}: leave max_epochs out, or make them agree'
        )
    for phase in curriculum.phases.phases:
        model.check_phase(phase, curriculum.previous_ratio(phase))
    if curriculum.restart:
        starts = [phase.begin for phase in curriculum.phases.phases]
        check_restartable(runner, starts[1:])
        check_coverage(runner, starts, total)


def _check_without_phases(model: PhasedModel, epochs: int) -> None:
    """Refuses one mask ratio throughout where a term would have no loss, or layers none."""
    if model.needs_auxiliary_teacher:
        raise ValueError(
            'the model learns from an auxiliary teacher (PSD), but no phase gives it one: add a '
            'ProgressivePhaseHook to custom_hooks, or leave PSD out'
        )
    if model.current_mask_ratio is not None:  # else the first iteration says what is missing
        model.check_phase(Phase(0, model.current_mask_ratio, 0, epochs))


def _check_hooks(runner) -> None:
    """Refuses a hook of this package that is given twice."""
    package = __name__.partition('.')[0]
    kinds = Counter(type(hook) for hook in runner.hooks)
    for kind, count in kinds.items():
        if count > 1 and kind.__module__.startswith(f'{package}.'):
            raise ValueError(
                f'{kind.__name__} is given {count} times: keep one of them in custom_hooks and '
                'default_hooks'
            )


def _check_colours(model) -> None:
    """Refuses unnormalised clips: values of 0 to 255 would train without an error."""
    preprocessor = model.data_preprocessor
    if hasattr(preprocessor, '_enable_normalize') and not preprocessor._enable_normalize:
        raise ValueError(
            'the clips would not be normalised: set model.data_preprocessor=dict(type='
            "'ClipPreprocessor', mean=[...], std=[...]) as "
            'configs/_base_/models/pmd_vit-b.py does'
        )


def _check_seeds(runner) -> None:
    """Refuses masks and augmentation that are not derived from seed, epoch and sample."""
    if find_hook(runner, StepSeedHook) is None:
        raise ValueError(
            "add dict(type='StepSeedHook') to custom_hooks: without it all ranks draw the same "
            'masks, and a resumed run differs from an uninterrupted one'
        )
    data = runner.train_dataloader.dataset
    repeating = next((d for d in with_wrappers(data) if isinstance(d, REPEATING)), None)
    if repeating is not None:
        raise ValueError(
            f'{type(repeating).__name__} gives a video several times in an epoch, each time with '
            'the same augmentation, which follows from seed, epoch and video: train more epochs, '
            'or use RepeatAugPathListDataset for several clips of each video'
        )
    for dataset in plain_datasets(data):
        steps = dataset.pipeline.transforms
        seeded = [i for i, step in enumerate(steps) if hasattr(step, 'set_epoch')]
        if steps and (not seeded or seeded[0] > 0):
            raise ValueError(
                "make dict(type='SeedAugmentation') the first step of the train pipeline: without "
                'it a resumed run augments differently from an uninterrupted one, and with '
                'persistent_workers=False every epoch repeats the same augmentation. For several '
                'clips per video use RepeatAugPathListDataset, which supports it'
            )


def _check_objects(runner, model) -> None:
    """Refuses boxes of objects that are moved after they were noted."""
    if 'object_boxes' in getattr(getattr(model, 'masker', None), 'reads', ()):
        for dataset in plain_datasets(runner.train_dataloader.dataset):
            check_object_boxes(step_names(dataset))


def _check_splits(runner) -> None:
    """Refuses a bank that holds queries: they would be their own nearest neighbours."""
    files: dict[str, set[str]] = {'bank': set(), 'query': set()}
    for dataset in plain_datasets(runner.val_loop.dataloader.dataset) if runner.val_loop else ():
        for step in getattr(dataset.pipeline, 'transforms', ()):
            if getattr(step, 'split', None) in files and hasattr(dataset, 'file_names'):
                files[step.split].update(dataset.file_names())
    shared = files['bank'] & files['query']
    if shared:
        raise ValueError(
            f'{len(shared)} videos of the validation are both in the bank and among the queries, '
            f'such as {min(shared)}, and would find themselves: give the two data sets of '
            'val_dataloader other lists, or smaller indices'
        )


def _check_difficulty(runner, curriculum: Curriculum | None) -> None:
    """Refuses DARE without a table or ``sample_idx``, or with uniform weights throughout."""
    hook = find_hook(runner, DAREHook)
    if hook is None:
        raise ValueError(
            "dare is on in the model, but there is no difficulty table: add dict(type='DAREHook') "
            'to custom_hooks, or leave DARE out'
        )
    for dataset in plain_datasets(runner.train_dataloader.dataset):
        for transform in dataset.pipeline.transforms:
            if 'sample_idx' not in getattr(transform, 'meta_keys', ('sample_idx',)):
                raise ValueError(
                    f'{type(transform).__name__} in the train pipeline drops sample_idx, which '
                    "DARE needs: set meta_keys=('img_shape', 'sample_idx')"
                )
        if hook.region == 'canonical':
            check_crop_boxes(step_names(dataset))
    if curriculum is None:
        return  # DAREHook reports what is missing
    phases = curriculum.phases.phases
    longest = max(phase.end - phase.begin for phase in phases)
    weighting = plain_model(runner).difficulty_spec.weighting
    # a table kept across phases gives the second phase its weights, whatever the stages
    if weighting and (hook.reset_per_phase or len(phases) == 1) and longest <= hook.stage_epochs:
        told = (
            f'DAREHook: stage_epochs is {hook.stage_epochs}, but the longest phase has {longest} '
            'epochs: weights are uniform in the first stage of a phase, so DARE would never weight '
            'patches. Set a smaller stage_epochs, or weighting=False in dare'
        )
        if longest < hook.stage_epochs:
            raise ValueError(told)
        runner.logger.warning(told)  # a trial with phases of one epoch has no smaller stage
