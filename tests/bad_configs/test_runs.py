"""What only a Runner can see is refused before the first iteration; nothing is trained here."""

from pathlib import Path

import pytest

from tests.integration import tiny


def drop(index):
    """Takes a custom hook away."""
    return lambda cfg: cfg.custom_hooks.pop(index)


def put(keys, value):
    """Changes a setting."""
    return lambda cfg: cfg.merge_from_dict({keys: value})


def forget_index(cfg):
    """The last transform drops ``sample_idx``."""
    cfg.train_dataloader.dataset.pipeline[-1].meta_keys = ('img_shape',)


def late(cfg):
    """The seed of the augmentation comes after the first random transform."""
    steps = cfg.train_dataloader.dataset.pipeline
    steps.append(steps.pop(0))


def drop_seed(cfg):
    """The augmentation follows from nothing."""
    cfg.train_dataloader.dataset.pipeline.pop(0)


def add(hook):
    """One more custom hook."""
    return lambda cfg: cfg.custom_hooks.append(hook)


def other_model(cfg):
    """A model without phases."""
    model = cfg.model.to_dict()
    head = dict(type='TimeSformerHead', num_classes=12, in_channels=48)
    cfg.model = dict(type='Recognizer3D', backbone=model['backbone'], cls_head=head)


def without_mean(cfg):
    """Pictures stay 0 to 255."""
    cfg.model.data_preprocessor = dict(type='ActionDataPreprocessor', format_shape='NCTHW')


def without_phases(*terms):
    """One mask ratio throughout, and these terms alone."""

    def change(cfg):
        model = cfg.model.to_dict()
        parts = {key: model[key] for key in ('backbone', 'decoder', 'data_preprocessor')}
        cfg.model = dict(
            type='MaskedDistillation',
            masker=dict(type='TubeMasker'),
            teachers=dict(img=model['image_teacher'], vid=model['video_teacher']),
            terms=terms,
            mask_ratio=0.5,
            **parts,
        )
        del cfg.custom_hooks[1:3]

    return change


def whole_steps(cfg):
    """Fewer batches than make a step."""
    cfg.train_dataloader.update(batch_size=2, drop_last=False)
    cfg.train_dataloader.batch_sampler = dict(type='WholeStepBatchSampler', accumulative_counts=8)
    cfg.optim_wrapper.accumulative_counts = 8


def flips(count, *crops):
    """Flips after the first crop, and crops after them, where DARE wants to know the place."""

    def change(cfg):
        cfg.custom_hooks[2].region = 'canonical'
        steps = cfg.train_dataloader.dataset.pipeline
        first = [step.type for step in steps].index('RandomResizedCrop') + 1
        new = [dict(type='Flip') for _ in range(count)] + [dict(type=c, size=24) for c in crops]
        steps[first:first] = [*new, dict(type='NoteCropBox')]
        steps[-1].meta_keys = ('img_shape', 'sample_idx', 'crop_box')

    return change


def late_flip(cfg):
    """A flip behind the box."""
    flips(0)(cfg)
    steps = cfg.train_dataloader.dataset.pipeline
    place = [step['type'] for step in steps].index('NoteCropBox')
    steps.insert(place + 1, dict(type='Flip'))


def moved_objects(*late):
    """Steps after the boxes of objects were noted."""

    def change(cfg):
        cfg.model.masker = dict(type='ObjectTubeMasker')
        steps = cfg.train_dataloader.dataset.pipeline
        steps[-2:-2] = [dict(type='PasteMovingObjects', folder='.'), *late]
        steps[-1].meta_keys = ('img_shape', 'sample_idx', 'object_boxes')

    return change


def same_videos(cfg):
    """The bank holds a query."""
    tiny.validate_frozen(cfg, Path(cfg.train_dataloader.dataset.data_prefix.video), interval=1)
    bank, query = cfg.val_dataloader.dataset.datasets
    query.ann_file = bank.ann_file


RUNS = [
    (drop(0), "add dict\\(type='StepSeedHook'\\) to custom_hooks"),
    (without_phases(dict(type='UnitAlignmentTerm')), 'no loss reaches the last layers'),
    (drop(1), 'no phase gives it one: add a ProgressivePhaseHook'),
    (
        drop(2),
        "there is no difficulty table: add dict\\(type='DAREHook'\\).* or leave DARE out",
    ),
    (put('custom_hooks.2.stage_epochs', 4), 'stage_epochs is 4, but the longest phase has 3'),
    (put('train_cfg.max_epochs', 10), 'the phases have 9 epochs in total, but .*max_epochs is 10'),
    (put('train_cfg.max_epochs', 8), 'the phases have 9 epochs in total, but .*max_epochs is 8'),
    (put('custom_hooks.1.phases.0.mask_ratio', 0.01), 'mask_ratio 0.01 leaves no masked patch'),
    (forget_index, 'PackActionInputs in the train pipeline drops sample_idx'),
    (
        put('optim_wrapper.accumulative_counts', 2),
        "not a multiple of accumulative_counts=2.*type='WholeStepBatchSampler'",
    ),
    (put('optim_wrapper.clip_grad.max_norm', 0), 'clip_grad: max_norm is 0; .* above 0'),
    (put('optim_wrapper.clip_grad.max_norm', -1.0), 'clip_grad: max_norm is -1.0'),
    (
        put('optim_wrapper.clip_grad', dict(type='value', clip_value=float('nan'))),
        'clip_value is nan',
    ),
    (put('custom_hooks.1.prev_student', 'nowhere.pth'), 'nowhere.pth'),
    (late, "make dict\\(type='SeedAugmentation'\\) the first step of the train pipeline"),
    (drop_seed, "make dict\\(type='SeedAugmentation'\\) the first step"),
    (add(dict(type='DAREHook')), 'DAREHook is given 2 times: keep one'),
    (add(dict(type='NonFiniteHook')), 'NonFiniteHook is given 2 times'),
    (other_model, 'ProgressivePhaseHook needs a model with phases.*the model is a Recognizer3D'),
    (without_mean, 'the clips would not be normalised: set model.data_preprocessor'),
    (
        put('train_dataloader.batch_size', 13),
        '12 videos are not one batch: .*batch_size is 13 per GPU, 1 GPU.*to 12 or less',
    ),
    (whole_steps, 'not one step of 8 batches .accumulative_counts.: .*1 GPU.*need 16;?.*smaller'),
    (flips(2), 'then one flip, .*has RandomResizedCrop, Flip, Flip, NoteCropBox'),
    (flips(1, 'RandomCrop'), 'the train pipeline has RandomResizedCrop, Flip, RandomCrop'),
    (moved_objects(dict(type='Flip')), 'Flip after PasteMovingObjects would move the objects'),
    (
        moved_objects(dict(type='CenterCrop', crop_size=16), dict(type='Resize', scale=(32, 32))),
        'CenterCrop, Resize after PasteMovingObjects',
    ),
    (same_videos, 'videos of the validation are both in the bank and among the queries'),
    (late_flip, 'the train pipeline has RandomResizedCrop, NoteCropBox, Flip'),
    (put('train_dataloader.dataset.ann_file', 'nowhere.txt'), 'no list file nowhere.txt'),
]


@pytest.fixture(scope='module')
def clips(tmp_path_factory):
    return tiny.make_clips(tmp_path_factory.mktemp('clips') / 'demo')


@pytest.mark.parametrize('change, message', RUNS)
def test_a_bad_run_is_refused_before_the_first_iteration(clips, tmp_path, change, message):
    cfg = tiny.tiny_config(clips, tmp_path)
    change(cfg)
    cfg.custom_hooks.append(dict(type='Watch'))
    runner = None
    with pytest.raises((ValueError, FileNotFoundError), match=f'(?s){message}'):
        runner = tiny.build(cfg)
        tiny.finish(runner)
    assert runner is None or tiny.hook_of(runner, tiny.Watch).steps == []


def test_weights_that_stay_uniform_are_told(clips, tmp_path):
    """A trial with phases of one epoch runs all the same."""
    short = dict(ratios=(0.5,), epochs=1, dare=dict(stage_epochs=1), param_scheduler=None)
    tiny.train(tiny.tiny_config(clips, tmp_path, **short, log_level='WARNING'))
    log = ''.join(path.read_text() for path in tmp_path.glob('*/*.log'))
    assert 'stage_epochs is 1, but the longest phase has 1 epochs' in log
