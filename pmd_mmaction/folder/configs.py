"""The config files of a plan: ordinary ones, without bases."""

from pathlib import Path

from mmengine.config import Config

from pmd_mmaction.folder.begun import WRITTEN
from pmd_mmaction.folder.plan import PUBLIC, Plan
from pmd_mmaction.folder.preset import PHASES
from pmd_mmaction.shipped import CONFIGS
from pmd_mmaction.storage.atomic_file import write_file

RATIOS = (0.75, 0.80, 0.85, 0.90)
TEACHER_SHARE = dict(image=0.5, video=0.75)  # of the epochs of all phases
FINETUNE_STEPS = 300  # at the least
CLASSES = 'classes.txt'
PATH_ENCODING = ('utf-8', 'surrogateescape')
WHAT = dict(
    pretrain='The curriculum',
    finetune='A classifier of the sub-folders, from the student',
    image_teacher='The image teacher',
    video_teacher='The video teacher',
)
HEAD = f"""# {{what}}, {WRITTEN}; train it with
#   python tools/train.py {{path}}
"""


def write_configs(plan: Plan) -> dict[str, Path]:
    """Writes the config of each training.

    Returns:
        ``'image_teacher'`` and ``'video_teacher'`` (own teachers), ``'pretrain'``, and with
        classes ``'finetune'``, to their files.
    """
    made = {} if plan.public else {f'{k}_teacher': teacher_config(plan, k) for k in TEACHER_SHARE}
    made['pretrain'] = pretrain_config(plan)
    if plan.classes:
        made['finetune'] = finetune_config(plan)
    paths = {}
    plan.out.mkdir(parents=True, exist_ok=True)
    for name, cfg in made.items():
        paths[name] = path = plan.out / f'{name}.py'
        text = HEAD.format(what=WHAT[name], path=path) + cfg.pretty_text
        write_file(path, text.encode(*PATH_ENCODING))
    return paths


def pretrain_config(plan: Plan) -> Config:
    """The curriculum, from the demo's config."""
    cfg, preset = Config.fromfile(CONFIGS / 'pmd' / 'vit-tiny_demo_pretrain.py'), plan.preset
    phases = [(ratio, plan.epochs) for ratio in RATIOS]
    cfg.merge_from_dict(
        dict(
            model=dict(backbone=_vit(plan), decoder=_decoder(plan)),
            default_hooks=dict(
                curriculum=dict(phases=phases),
                difficulty=dict(stage_epochs=max(1, plan.epochs // 3)),
                checkpoint=dict(interval=max(1, plan.epochs // 5)),
            ),
            train_cfg=dict(val_interval=plan.epochs),
            work_dir=str(plan.out / 'pmd'),
        )
    )
    for name in ('data_root', 'vit_tiny'):  # the demo's, resolved
        cfg.pop(name, None)
    _set_steps(cfg, plan)
    _set_teachers(cfg, plan)
    cfg.train_dataloader = _loader(plan, _train_pipeline(plan, preset.num_frames))
    bank, queries = (_held_out(plan, name) for name in ('train', 'held_out'))
    if plan.classes:
        cfg.val_dataloader.dataset.datasets = [bank, queries]
        cfg.val_dataloader.num_workers = cfg.train_dataloader.num_workers
        cfg.val_evaluator.k = max(1, min(20, plan.videos // plan.classes))
    else:
        for key in ('val_dataloader', 'val_evaluator', 'val_cfg'):
            cfg.pop(key)
        cfg.train_cfg.pop('val_interval')
        cfg.report = dict(datasets=[bank, queries])  # what tools/report.py compares
    return cfg


def teacher_config(plan: Plan, name: str) -> Config:
    """A masked autoencoder on frames or clips, from the demo's config."""
    demo = dict(image='mae_vit-tiny_demo.py', video='videomae_vit-tiny_demo.py')[name]
    cfg = Config.fromfile(CONFIGS / 'teachers' / demo)
    epochs = teacher_epochs(plan, name)
    one = dict(num_frames=1, tubelet_size=1) if name == 'image' else {}
    cfg.merge_from_dict(
        dict(
            model=dict(backbone=_vit(plan) | one, decoder=_decoder(plan)),
            default_hooks=dict(checkpoint=dict(interval=max(1, epochs // 10), max_keep_ckpts=1)),
            train_cfg=dict(max_epochs=epochs),
            work_dir=str(plan.out / f'{name}_teacher'),
        )
    )
    _set_steps(cfg, plan)
    cfg.param_scheduler = _schedule(epochs)
    frames = one.get('num_frames', plan.preset.num_frames)
    cfg.train_dataloader = _loader(plan, _train_pipeline(plan, frames))
    return cfg


def finetune_config(plan: Plan) -> Config:
    """A classifier of the sub-folders, from the demo's fine-tuning."""
    cfg, preset = Config.fromfile(CONFIGS / 'pmd' / 'vit-tiny_demo_finetune.py'), plan.preset
    loader = _loader(plan, _train_pipeline(plan, preset.num_frames)[1:])
    loader['batch_size'] = min(plan.batch_size, cfg.train_dataloader.batch_size)
    steps = max(1, plan.videos // loader['batch_size'])
    epochs = max(cfg.train_cfg.max_epochs, -(-FINETUNE_STEPS // steps))
    cfg.merge_from_dict(
        dict(
            model=dict(
                backbone=_vit(plan),
                cls_head=dict(num_classes=plan.classes, in_channels=preset.embed_dims),
            ),
            optim_wrapper=dict(paramwise_cfg=dict(num_layers=preset.depth)),
            train_cfg=dict(max_epochs=epochs, val_interval=max(1, epochs // 5)),
            load_from=str(plan.out / 'pmd' / 'student.pth'),
            work_dir=str(plan.out / 'finetune'),
        )
    )
    _set_steps(cfg, plan)
    for name in ('data_root', 'epochs'):  # the demo's, resolved
        cfg.pop(name, None)
    repeats = {name: cfg.train_dataloader.dataset[name] for name in ('type', 'num_repeats')}
    loader['dataset'] |= repeats
    cfg.train_dataloader = loader | dict(collate_fn=cfg.train_dataloader.collate_fn)
    for kind in ('val', 'test'):
        cfg[f'{kind}_dataloader'].dataset = _held_out(plan, 'held_out')
    return cfg


def teacher_epochs(plan: Plan, name: str) -> int:
    """Epochs of an own teacher."""
    return max(2, round(PHASES * plan.epochs * TEACHER_SHARE[name]))


def checkpoint_of(plan: Plan, name: str) -> Path:
    """The file that a teacher is read from."""
    if name == 'image':
        return plan.out / 'image_teacher.pth'
    return plan.out / 'video_teacher' / f'epoch_{teacher_epochs(plan, "video")}.pth'


# ---------------------------------------------------------------------- parts


def _vit(plan: Plan) -> dict:
    names = ('embed_dims', 'depth', 'num_heads', 'img_size', 'patch_size', 'num_frames')
    return {name: getattr(plan.preset, name) for name in names}


def _decoder(plan: Plan) -> dict:
    width = plan.preset.decoder_dims
    return dict(embed_dims=width, num_heads=max(3, width // 64))


def _set_steps(cfg: Config, plan: Plan) -> None:
    """Learning rate and precision."""
    cfg.optim_wrapper.optimizer.lr *= plan.preset.rate
    if plan.machine.dtype != 'float32':
        cfg.optim_wrapper.update(type='AmpOptimWrapper', dtype=plan.machine.dtype)


def _set_teachers(cfg: Config, plan: Plan) -> None:
    """Public teachers, or those that were trained on the same videos."""
    model, vit = cfg.model, _vit(plan)
    if plan.public:
        public = Config.fromfile(CONFIGS / '_base_' / 'models' / 'pmd_vit-b.py').model
        for name, file in zip(('image_teacher', 'video_teacher'), PUBLIC):
            model[name] = public[name]
            model[name].checkpoint = str(plan.public / file)
        return
    frames = vit['num_frames']
    widths = dict(img_size=vit['img_size'], patch_size=vit['patch_size'])
    widths |= dict(embed_dim=vit['embed_dims'], depth=vit['depth'], num_heads=vit['num_heads'])
    model.image_teacher.model_kwargs.update(widths)
    model.image_teacher.update(num_frames=frames, checkpoint=str(checkpoint_of(plan, 'image')))
    model.video_teacher.update(**vit, checkpoint=str(checkpoint_of(plan, 'video')))


def _loader(plan: Plan, pipeline: list[dict]) -> dict:
    # a core for the training itself; on GPUs each process has its share
    workers = max(1, min(8, (plan.machine.cores - 1) // max(1, plan.machine.gpus)))
    return dict(
        batch_size=plan.batch_size,
        num_workers=workers,
        persistent_workers=True,
        drop_last=True,
        sampler=dict(type='DefaultSampler', shuffle=True),
        dataset=_dataset(plan, 'train', pipeline),
    )


def _dataset(plan: Plan, name: str, pipeline: list[dict]) -> dict:
    return dict(
        type='PathListDataset',
        ann_file=str(plan.out / f'{name}.txt'),
        data_prefix=dict(video=str(plan.out / 'videos')),
        pipeline=pipeline,
        **_class_names(plan),
    )


def _class_names(plan: Plan) -> dict:
    """The names of the classes, as MMEngine's data sets have them."""
    path = plan.out / CLASSES
    if not plan.classes or not path.is_file():
        return {}
    return dict(metainfo=dict(classes=path.read_text(*PATH_ENCODING).split('\n')[:-1]))


def _held_out(plan: Plan, name: str) -> dict:
    """Videos as they are compared: the middle of frames and pixels."""
    size, split = plan.preset.img_size, dict(train='bank', held_out='query')[name]
    pipeline = [
        dict(type='MarkSplit', split=split),
        dict(type='VideoInit'),
        _frames(plan, plan.preset.num_frames, test_mode=True),
        dict(type='VideoDecode'),
        # of videos in their full size, too (tools/extract_features.py)
        dict(type='AntialiasedResize', scale=size),
        dict(type='CenterCrop', crop_size=size),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs', meta_keys=('img_shape', 'split')),
    ]
    return _dataset(plan, name, pipeline) | dict(test_mode=True)


def _frames(plan: Plan, count: int, **more: bool) -> dict:
    step = dict(type='SampleFrames', clip_len=count, num_clips=1, out_of_bound_opt='repeat_last')
    if count > 1:  # phones mix rates: a clip has the same length in seconds at each
        step |= dict(frame_interval=plan.preset.frame_interval, target_fps=30)
    return step | more


def _train_pipeline(plan: Plan, frames: int) -> list[dict]:
    size = plan.preset.img_size
    return [
        dict(type='SeedAugmentation'),
        dict(type='VideoInit'),
        dict(type='RequireFrames', minimum=2),
        _frames(plan, frames),
        dict(type='VideoDecode'),
        dict(type='RandomResizedCrop', area_range=(0.5, 1.0)),
        dict(type='Resize', scale=(size, size), keep_ratio=False),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs', meta_keys=('img_shape', 'sample_idx')),
    ]


def _schedule(epochs: int) -> list[dict]:
    """A tenth of warm-up and a cosine."""
    warmup, unit = max(1, epochs // 10), dict(by_epoch=True, convert_to_iter_based=True)
    cosine = dict(begin=warmup, end=epochs, T_max=epochs - warmup)
    return [
        dict(type='LinearLR', start_factor=0.01, begin=0, end=warmup, **unit),
        dict(type='CosineAnnealingLR', eta_min_ratio=0.01, **cosine, **unit),
    ]
