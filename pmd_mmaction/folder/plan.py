"""What is to be run on a folder, decided from what is found there."""

import shutil
from pathlib import Path
from typing import NamedTuple

from pmd_mmaction.folder.preset import (
    PRESETS,
    Machine,
    Preset,
    batch_of,
    choose_preset,
    this_machine,
)
from pmd_mmaction.folder.videos import FolderError, find_videos, read_lists

PUBLIC = ('mae_pretrain_vit_base.pth', 'videomae_vit-b_k400_pretrain.pth')
ROOM = 500e6  # bytes that copies and checkpoints of the smallest training need


class Options(NamedTuple):
    """What the user decides; None: decided here.

    Attributes:
        model: name of a preset.
        size: side of the clips in pixels.
        batch_size: clips on a device.
        epochs: of a phase.
        gpus: number; 0: the CPU.
        teachers: folder of public teachers; None: ``data/teachers``, if they are there.
    """

    model: str | None = None
    size: int | None = None
    batch_size: int | None = None
    epochs: int | None = None
    gpus: int | None = None
    teachers: Path | None = None


class Plan(NamedTuple):
    """What is to be run.

    Attributes:
        source: folder of the videos.
        out: where everything goes.
        videos: training videos.
        classes: 0: none are known.
        machine: where it runs.
        preset: sizes.
        batch_size: clips on a device.
        epochs: of a phase.
        public: folder of the public teachers; None: own ones are trained.
        reasons: why, in a line each.
    """

    source: Path
    out: Path
    videos: int
    classes: int
    machine: Machine
    preset: Preset
    batch_size: int
    epochs: int
    public: Path | None
    reasons: tuple[str, ...]

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch."""
        return max(1, self.videos // (self.batch_size * max(1, self.machine.gpus)))


def make_plan(source: Path, out: Path, options: Options) -> Plan:
    """Looks at folder and machine and decides.

    Args:
        source: folder of videos.
        out: where everything goes; lists that are there already are used.
        options: what the user decides.

    Raises:
        FolderError: if nothing can be run.
    """
    if out.resolve().is_relative_to(source.resolve()):
        raise FolderError(f'{out} lies in {source}: choose an --out outside')
    out = out.resolve()  # so that the configs work from anywhere
    lists = read_lists(out)
    found = find_videos(source) if lists is None else []
    videos = len(found) - max(1, len(found) // 10) if lists is None else len(lists.train)
    classes = 0 if lists is None else lists.classes
    _make_folder(out)
    _check_disk(out, sum(path.stat().st_size for path in found))
    machine = this_machine(options.gpus)
    if machine.gpus < (options.gpus or 0):
        raise FolderError(
            f'--gpus is {options.gpus}, but {machine.gpus} were found: leave it out to use all'
        )
    name, why = choose_preset(videos, machine)
    name, why = (name, why) if options.model is None else (options.model, 'as you said')
    preset = PRESETS[name]
    teachers = options.teachers or Path('data/teachers')
    missing = [file for file in PUBLIC if not (teachers / file).is_file()]
    if options.teachers and missing:
        raise FolderError(f'{teachers} has no {" and no ".join(missing)}: see docs/model_zoo.md')
    public = not missing and name != 'tiny'
    size = options.size or (224 if public else preset.img_size)
    if size % preset.patch_size or (public and size != 224):
        wanted = '224, that of the public teachers' if public else f'{preset.patch_size} times n'
        raise FolderError(f'--size is {size}; it must be {wanted}')
    preset = preset._replace(img_size=size, short_side=max(preset.short_side, size * 8 // 7))
    share = max(1, videos // max(1, machine.gpus))
    batch = options.batch_size or batch_of(share, preset.batch_size)
    if batch > share:
        raise FolderError(f'--batch-size is {batch}, but there are {share} videos for each device')
    epochs = options.epochs or max(preset.epochs, -(-preset.steps // max(1, share // batch)))
    taught = f'public ones of {teachers}' if public else 'trained on these videos'
    reasons = (
        f'{videos} training videos' + (f' in {classes} classes' if classes else ''),
        f'ViT-{name}: {why}',
        f'teachers: {taught}',
        f'clips of {preset.num_frames} frames of {size} px, {batch} on each device',
        f'4 phases of {epochs} epochs',
    )
    folder = teachers.resolve() if public else None
    return Plan(source, out, videos, classes, machine, preset, batch, epochs, folder, reasons)


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = 'it is a file' if out.is_file() else error.strerror
        raise FolderError(
            f'{out} cannot be made a folder ({reason}): choose another --out'
        ) from None


def _check_disk(out: Path, size: int) -> None:
    """Refuses a disk without room for copies and checkpoints."""
    free, need = shutil.disk_usage(out).free, max(ROOM, size / 10)
    if free < need:
        raise FolderError(
            f'{free / 1e9:.2f} GB are free on the disk of {out}, some {need / 1e9:.2f} GB are '
            'needed: make room, or choose another --out'
        )
