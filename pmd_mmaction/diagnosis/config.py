"""Checks what a config needs: files, weights, memory, disk."""

import itertools
import math
import re
import shutil
from pathlib import Path
from typing import Generator, Iterator, Mapping

import torch
from mmaction.registry import HOOKS, MODELS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import CheckpointLoader

from pmd_mmaction.contracts import DifficultyModel
from pmd_mmaction.dare import TableLayout
from pmd_mmaction.dare.scratch_file import scratch_directories
from pmd_mmaction.datasets import read_path_list
from pmd_mmaction.diagnosis.finding import Finding, at_least, first_line, in_gb, judge
from pmd_mmaction.diagnosis.keys import examine_keys
from pmd_mmaction.diagnosis.loading import examine_loading
from pmd_mmaction.diagnosis.teacher_files import ELSE, command_for
from pmd_mmaction.functional import PhaseSchedule
from pmd_mmaction.hooks import DAREHook
from pmd_mmaction.hooks.check_labels_hook import NO_LABEL, find_strange_labels
from pmd_mmaction.storage.digest import sha256_of
from pmd_mmaction.teacher_configs import find_teachers

PACKAGE = __name__.partition('.')[0]
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
# As in published names: name-0123abcd.pth; eight digits that begin as a year are a date
HASH_IN_NAME = re.compile(r'-(?!(?:19|20)\d{6}\.)([a-f0-9]{8,})\.\w+$')
MOMENTS = 3  # weights and AdamW's two moments, of every trained parameter


def examine_config(cfg: Config, entries: int = 20, gpus: int = 1) -> Iterator[Finding]:
    """Finds the problems that training would run into later.

    Args:
        cfg: a training config.
        entries: number of videos of each list to look for.
        gpus: ranks per node.
    """
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    yield from examine_keys(cfg)
    if not _dict(cfg.get('model')):
        yield Finding('config', 'error', 'it has no model', 'give the config of a training')
        return
    hooks = []
    for name, hook_cfg in _hook_configs(cfg):
        try:
            hooks.append(HOOKS.build({k: v for k, v in hook_cfg.items() if k != 'priority'}))
        except Exception as error:  # a config may hold anything
            yield Finding(name, 'error', first_line(error), 'change the config as it says')
    missing = []
    for name, teacher in find_teachers(cfg.model).items():
        path = teacher.config.get('checkpoint')
        if isinstance(path, str):  # building the model tells of anything else
            remedy = command_for(teacher.config.get('type'), path)
            finding = examine_weights(f'{teacher.argument} file', path, remedy)
            missing += [name] if finding.level == 'error' else []
            yield finding
    if cfg.get('load_from'):
        yield examine_weights('load_from', cfg.load_from)
    videos, classes = 0, _dict(cfg.model.get('cls_head')).get('num_classes')
    for key in LOADERS:
        for dataset in _datasets(_dict(cfg.get(key)).get('dataset')):
            finding, count = examine_list(f'{key} list', dataset, entries, classes)
            videos += count if key == LOADERS[0] else 0
            yield finding
    table = yield from _examine_model(cfg, missing, videos, hooks, gpus)
    if videos:
        yield from examine_loading(cfg.train_dataloader, videos, gpus, table)


def examine_weights(subject: str, path: str, remedy: str = ELSE) -> Finding:
    """Checks that a weight file exists, can be read and matches the hash in its name.

    Args:
        subject: name of the finding.
        path: of the file, or its URL.
        remedy: what to do if it does not exist.
    """
    if '://' in path:
        return Finding(subject, 'ok', f'{path} is downloaded when the model is built')
    path = str(Path(path).expanduser())
    if not Path(path).is_file():
        return Finding(subject, 'error', f'{path} does not exist', remedy)
    digest = sha256_of(Path(path))
    named = HASH_IN_NAME.search(path)
    if named and not digest.startswith(named[1]):
        remedy = 'download it again: it is damaged, or another file under this name'
        return Finding(subject, 'error', f'{path} has SHA-256 {digest}, not {named[1]}...', remedy)
    try:
        content = CheckpointLoader.load_checkpoint(path, map_location='cpu', logger='silent')
    except Exception as error:  # whatever is in the file
        return Finding(subject, 'error', first_line(error), 'download or convert it again')
    meta = content.get('meta', {}) if isinstance(content, dict) else {}
    source = meta.get('source_sha256') if isinstance(meta, dict) else None
    origin = f', converted from a file of SHA-256 {source}' if source else ''
    return Finding(subject, 'ok', f'{path}: SHA-256 {digest}{origin}')


def examine_list(
    subject: str, dataset: dict, entries: int, classes: int | None = None
) -> tuple[Finding, int]:
    """Checks that a list has videos, that the first of them exist and that labels are classes.

    Args:
        subject: name of the finding.
        dataset: config of the data set.
        entries: number of videos to look for.
        classes: number of classes of the head; None: labels are not checked.

    Returns:
        The finding, and the number of videos.
    """
    try:
        base = dataset.get('data_root') or ''
        path = Path(base, dataset['ann_file'])
        prefix = next(iter(_dict(dataset.get('data_prefix')).values()), '') or ''
        root = Path(base, prefix)
        checked = 'PathListDataset' in str(dataset.get('type')) and prefix
        listed = read_path_list(path, root, not checked or bool(dataset.get('allow_outside')))
    except (OSError, TypeError, ValueError) as error:
        return Finding(subject, 'error', first_line(error), 'see docs/data.md'), 0
    names = [name for name, _ in listed]
    if isinstance(classes, int):
        labels = [(name, [NO_LABEL if label is None else label]) for name, label in listed]
        strange = find_strange_labels(str(path), labels, classes)
        if strange is not None:
            return Finding(subject, 'error', *strange), 0
    absent = [name for name in names[:entries] if not Path(root, name).exists()]
    looked = min(entries, len(names))
    found = f'{path}: {len(names)} videos, the first {looked} exist'
    if absent:
        found = f'{path}: {len(absent)} of the first {looked} do not exist: {Path(root, absent[0])}'
    remedy = 'check data_prefix; tools/data/check_videos.py writes a list without bad videos'
    return judge(subject, not absent, found, remedy), len(names)


def _examine_model(
    cfg: Config, missing: list[str], videos: int, hooks: list[Hook], gpus: int
) -> Generator[Finding, None, int]:
    """Checks the model and its files; returns the bytes of its table in shared memory."""
    model_cfg = cfg.model.to_dict()
    for name in missing:  # reported already; look for further problems
        find_teachers(model_cfg)[name].config['checkpoint'] = None
    try:
        model = MODELS.build(model_cfg)
    except Exception as error:  # a config may hold anything
        yield Finding('model', 'error', first_line(error), 'change the config as it says')
        return 0
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    yield Finding(
        'model', 'ok', f'{type(model).__name__}, {trained / 1e6:.1f} M trained parameters'
    )
    table = 0
    spec = model.difficulty_spec if isinstance(model, DifficultyModel) else None
    hook = next((hook for hook in hooks if isinstance(hook, DAREHook)), None)
    if spec is not None and hook is not None and videos:
        table = TableLayout(videos, spec.num_teachers, spec.num_patches, hook.dtype).nbytes
        yield _examine_scratch(hook.scratch_dir, table)
    yield _examine_disk(cfg, trained * MOMENTS * torch.float32.itemsize + table)
    # one process keeps the table for itself
    return table if table and gpus > 1 and not hook.scratch_dir else 0


def _examine_scratch(scratch_dir: str | None, table: int) -> Finding:
    """Checks that one of the directories for the shared table has enough space."""
    places = [place for place in scratch_directories(scratch_dir) if Path(place).is_dir()]
    free = {place: shutil.disk_usage(place).free for place in places}
    good = [place for place in places if free[place] > table]
    listed = ', '.join(f'{in_gb(free[place])} free in {place}' for place in places)
    return judge(
        'difficulty table',
        bool(good),
        f'{in_gb(table)} per node; {listed or f"no directory {scratch_dir}"}',
        'give DAREHook a scratch_dir on a local disk, or enlarge /dev/shm (docker: --shm-size)',
    )


def _examine_disk(cfg: Config, checkpoint: int) -> Finding:
    """Checks that the kept checkpoints fit on the disk."""
    hook = _dict(_dict(cfg.get('default_hooks')).get('checkpoint'))
    # the one that is being written, and after preemptions the newest of the end of an epoch
    kept, more = at_least(hook.get('max_keep_ckpts'), 0), 2
    if kept < 1:
        more, kept = 1, math.ceil(_epochs(cfg) / at_least(hook.get('interval'), 1))
    work_dir = Path(cfg.get('work_dir') or 'work_dirs').absolute()
    there = next(place for place in (work_dir, *work_dir.parents) if place.is_dir())
    free, need = shutil.disk_usage(there).free, (kept + more) * checkpoint
    return judge(
        'disk',
        free > need,
        f'{kept} + {more} checkpoints of {in_gb(checkpoint)} need {in_gb(need)}; {in_gb(free)} '
        f'free in {there}',
        'choose another --work-dir, or a smaller max_keep_ckpts (2 or more)',
    )


def _epochs(cfg: Config) -> int:
    """Epochs of the run, from max_epochs or the phases; 1 if neither can be read."""
    given = _dict(cfg.get('train_cfg')).get('max_epochs')
    for _, hook in () if given else _hook_configs(cfg):
        if hook.get('type') == 'ProgressivePhaseHook':
            try:
                return PhaseSchedule.of_hook(hook).total_epochs
            except (TypeError, ValueError):
                return 1  # the hook's own finding says what is wrong
    return at_least(given, 1)


def _datasets(cfg: dict | None) -> Iterator[dict]:
    """The data sets with a list of videos, also inside wrappers."""
    cfg = _dict(cfg)
    if cfg.get('ann_file'):
        yield cfg
    for inner in itertools.chain(cfg.get('datasets') or (), [cfg.get('dataset')]):
        if inner:
            yield from _datasets(inner)


def _hook_configs(cfg: Config) -> Iterator[tuple[str, Mapping]]:
    """Names and configs of all hooks."""
    custom = cfg.get('custom_hooks')
    for hook in custom if isinstance(custom, (list, tuple)) else []:
        yield f'hook {_dict(hook).get("type")}', _dict(hook)
    for name, hook in _dict(cfg.get('default_hooks')).items():
        kind = HOOKS.get(str(_dict(hook).get('type')))
        # others may need a Runner to be built
        if hook is not None and (kind is None or kind.__module__.startswith(PACKAGE)):
            yield f'hook {name}', _dict(hook)


def _dict(part: object) -> Mapping:
    """A part of a config, or an empty dict if it is something else."""
    return part if isinstance(part, Mapping) else {}
