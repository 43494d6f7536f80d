"""What is to be run on a folder, decided from what is found there."""

import shutil
from pathlib import Path
from typing import NamedTuple

from pmd_mmaction.folder.begun import (
    Choices,
    has_trained,
    read_begun,
    require_no_foreign_files,
    require_same,
)
from pmd_mmaction.folder.preset import (
    PRESETS,
    Machine,
    Preset,
    batch_of,
    choose_preset,
    this_machine,
)
from pmd_mmaction.folder.videos import (
    FolderError,
    Found,
    collect_videos,
    read_lists,
    split_held_out,
)

PUBLIC = ('mae_pretrain_vit_base.pth', 'videomae_vit-b_k400_pretrain.pth')


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
        found: what the folder holds, before there are lists.
        choices: what a later call goes on with.
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
    found: Found
    choices: Choices

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
    source, out = source.resolve(), out.resolve()  # so that the configs work from anywhere
    _keep_apart(source, out)
    options, begun = _earlier_choices(source, out, options)
    lists = read_lists(out)
    found = collect_videos(source) if lists is None else Found([], {})
    lists = lists or split_held_out(source, found.videos)
    videos = len(lists.train)
    _make_folder(out)
    machine = _machine(options, begun)
    name, why = choose_preset(videos, machine)
    if options.model is not None:
        name, why = options.model, begun['why'] if begun else 'as you said'
    public = _public_teachers(options.teachers, name, begun is not None)
    preset = _sized(PRESETS[name], options.size, public)
    if begun is None:
        _check_disk(out, preset, sum(path.stat().st_size for path in found.videos))
    share = max(1, videos // max(1, machine.gpus))
    batch = options.batch_size or batch_of(share, preset.batch_size)
    if batch > share:
        raise FolderError(f'--batch-size is {batch}, but there are {share} videos for each device')
    epochs = options.epochs or max(preset.epochs, -(-preset.steps // max(1, share // batch)))
    decided = dict(model=name, size=preset.img_size, gpus=machine.gpus)
    decided['teachers'] = options.teachers or public
    return Plan(
        source=source,
        out=out,
        videos=videos,
        classes=lists.classes,
        machine=machine,
        preset=preset,
        batch_size=batch,
        epochs=epochs,
        public=public,
        reasons=(
            f'{videos} training videos' + (f' in {lists.classes} classes' if lists.classes else ''),
            f'ViT-{name}: {why}',
            f'teachers: {f"public ones of {public}" if public else "trained on these videos"}',
            f'clips of {preset.num_frames} frames of {preset.img_size} px, {batch} on each device',
            f'4 phases of {epochs} epochs',
        ),
        found=found,
        choices=dict(videos=source, why=why, **options._replace(**decided)._asdict()),
    )


def _earlier_choices(source: Path, out: Path, options: Options) -> tuple[Options, Choices | None]:
    """The options, those of an earlier call where it has trained, and what that call chose."""
    options = options._replace(teachers=options.teachers and options.teachers.resolve())
    begun = read_begun(out)
    if begun is None:
        require_no_foreign_files(out)
        return options, None
    if not has_trained(out):
        require_same(out, begun, dict(videos=source))  # the copies are of that folder
        return options, None
    require_same(out, begun, dict(videos=source, **options._asdict()))
    return Options(**{name: begun[name] for name in Options._fields}), begun


def _machine(options: Options, begun: Choices | None) -> Machine:
    """Where it runs.

    Raises:
        FolderError: if it has fewer GPUs than are asked for.
    """
    machine = this_machine(options.gpus)
    if machine.gpus < (options.gpus or 0):
        remedy = 'choose another --out' if begun else 'leave it out to use what is there'
        raise FolderError(
            f'--gpus is {options.gpus}, but {machine.gpus or "no"} GPUs were found: {remedy}'
        )
    return machine


def _keep_apart(source: Path, out: Path) -> None:
    """Refuses results among the videos, and copies in their folder."""
    copies = out / 'videos'
    if out.is_relative_to(source):
        raise FolderError(f'{out} lies in {source}: choose an --out outside')
    if source.is_relative_to(copies) or copies.resolve().is_relative_to(source):
        raise FolderError(
            f'the copies would go to {copies}, where your videos are: choose another --out'
        )


def _public_teachers(given: Path | None, model: str, decided: bool) -> Path | None:
    """The folder of the public teachers; None: own ones are trained."""
    if given is None and decided:
        return None
    folder = Path(given or 'data/teachers')
    missing = [file for file in PUBLIC if not (folder / file).is_file()]
    if given and missing:
        raise FolderError(f'{folder} has no {" and no ".join(missing)}: see docs/model_zoo.md')
    if given and model == 'tiny' and not decided:
        raise FolderError('`tiny` is too small for --teachers: leave them out or add --model small')
    return None if missing or model == 'tiny' else folder.resolve()


def _sized(preset: Preset, size: int | None, public: Path | None) -> Preset:
    """The preset with the clips' side in pixels."""
    size = size or (224 if public else preset.img_size)
    if size % preset.patch_size or (public and size != 224):
        wanted = (
            '224, that of the public teachers' if public else f'a multiple of {preset.patch_size}'
        )
        raise FolderError(f'--size is {size}; it must be {wanted}')
    return preset._replace(img_size=size, short_side=max(preset.short_side, size * 8 // 7))


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = 'it is a file' if out.is_file() else error.strerror
        raise FolderError(
            f'{out} cannot be made a folder ({reason}): choose another --out'
        ) from None


def _check_disk(out: Path, preset: Preset, videos: int) -> None:
    """Refuses a disk without room for copies and checkpoints.

    Three checkpoints of the student (weights and two moments, with decoders and table), two of
    each teacher and the students of the phases are some 30 times the student's weights.

    Args:
        out: folder on the disk.
        preset: sizes.
        videos: bytes of the videos that are to be copied.
    """
    weights = 12 * preset.embed_dims**2 * preset.depth * 4  # bytes
    free, need = shutil.disk_usage(out).free, 300e6 + 30 * weights + videos / 10
    if free < need:
        raise FolderError(
            f'{free / 1e9:.2f} GB are free on the disk of {out}, some {need / 1e9:.2f} GB are '
            'needed: make room, or choose another --out'
        )
