"""The sections of the page; each says what it lacks."""

import itertools
from typing import Callable, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from mmengine.utils.dl_utils import collect_env

from pmd_mmaction.diagnosis.run_health import judge_run
from pmd_mmaction.report import features, pictures
from pmd_mmaction.report.masks import draw_masks
from pmd_mmaction.report.run import Run, frames_of, sample_of, spread
from pmd_mmaction.teacher_configs import find_teachers
from pmd_mmaction.version import __version__
from pmd_mmaction.visualization import plot_balance, plot_curves, plot_health
from pmd_mmaction.visualization.patches import upsample_patches

CLIPS, QUERIES, NEIGHBOURS = 3, 6, 5


class Section(NamedTuple):
    """A part of the page.

    Attributes:
        name: in addresses.
        title: heading.
        blocks: ``('text' | 'missing' | 'code', text)``, ``('picture', (address, caption))`` or
            ``('table', (header, rows))``.
    """

    name: str
    title: str
    blocks: list[tuple]


class Missing(Exception):
    """What a section lacks, and when it will be there."""


def overview(run: Run) -> list[tuple]:
    """What ran."""
    model, (done, total) = run.cfg.model, run.epochs
    teachers = find_teachers(model)
    state = 'finished' if run.finished else 'in progress or stopped'
    rows = [
        ('method', model.get('type')),
        ('work directory', run.work_dir),
        ('state', f'{state}, epoch {done} of {total or "?"}'),
        (
            'student',
            f'{model.backbone.get("depth")} layers of width {model.backbone.get("embed_dims")}',
        ),
        ('teachers', ', '.join(f'{n} ({t.config.type})' for n, t in teachers.items()) or 'none'),
        ('phases', '; '.join(title.replace('\n', ', ') for title in run.phases) or 'none'),
        ('training list', run.cfg.train_dataloader.dataset.get('ann_file')),
    ]
    return [('table', ((), rows))]


def health(run: Run) -> list[tuple]:
    """Verdicts."""
    if not run.scalars:
        raise Missing('no log yet: vis_data/scalars.json appears with the first logged step')
    rows = _verdicts(run.scalars)
    for name, scalars in run.teacher_scalars.items():
        rows += _verdicts(scalars, f'{name} teacher: ')
    numbers = pictures.embed_figure(plot_health({run.work_dir.name: run.scalars}))
    caption = 'Explained share of the targets, features, pull of each term: docs/healthy_run.md'
    return [('table', (('', 'what', 'found'), rows)), ('picture', (numbers, caption))]


def _verdicts(scalars: dict[str, dict[int, float]], whose: str = '') -> list[tuple[str, str, str]]:
    """Rows of the table of health."""
    return [
        (
            'ok' if finding.level == 'ok' else 'look',
            whose + finding.subject,
            '; '.join(filter(None, (finding.found, finding.remedy))),
        )
        for finding in judge_run(scalars)
    ]


def curves(run: Run) -> list[tuple]:
    """Terms, their balance, learning rate."""
    if not any(key.startswith('loss_') for key in run.scalars):
        raise Missing('no losses in the log yet')
    teachers = list(find_teachers(run.cfg.model))
    terms = pictures.embed_figure(plot_curves(run.scalars, teachers))
    balance = pictures.embed_figure(plot_balance(run.scalars, teachers))
    return [
        ('picture', (terms, 'Terms of the loss, each times its lambda; dotted: phases')),
        ('picture', (balance, 'Balance: share of each term in the loss')),
    ]


def masks(run: Run) -> list[tuple]:
    """What the student sees."""
    if not run.phases:
        raise Missing('the config gives neither phases nor a mask_ratio')
    caption = 'The first clip under the masks of each phase; grey: masked'
    return [('picture', (pictures.embed_figure(draw_masks(run)), caption))]


def difficulty(run: Run) -> list[tuple]:
    """Smoothed loss of each patch over the video."""
    if run.table is None:
        raise Missing('no difficulty table: the method has none, or no checkpoint is written yet')
    indices = spread(len(run.videos), CLIPS)
    samples = [sample_of(run.videos, index) for index in indices]
    blocks = []
    for index, sample, rows in zip(indices, samples, run.difficulty(samples)):
        frames = frames_of(sample)
        top = max(float(row.max()) for row in rows.values())
        maps = [pictures.heat(frames, row, run.backbone.token_grid, top) for row in rows.values()]
        names = ' | '.join(f'{name} teacher' for name in rows)
        caption = f'video {index}: clip | {names}; bright: {top:.2f}, black: 0 or never masked'
        blocks.append(('picture', (pictures.embed_animation([frames, *maps]), caption)))
    return blocks


def patches(run: Run) -> list[tuple]:
    """Principal components of patch features, student and teachers side by side."""
    if not run.students:
        raise Missing('no student saved yet: the first checkpoint or the end of a phase writes one')
    videos = run.held_out[1] if run.held_out else run.videos
    samples = [sample_of(videos, index) for index in spread(len(videos), CLIPS)]
    found, teachers, missing = {}, {}, {}
    for title in run.students:
        model = features.student_of(run, title)
        last = title == list(run.students)[-1]
        if last:
            teachers, missing = features.open_teachers(run, model)
        for name, rows in features.patch_features(model, samples, teachers).items():
            found[f'{name} teacher' if name else title] = features.principal_colours(rows)
    blocks, names = [], ' | '.join(found)
    for number, sample in enumerate(samples):
        frames, grid = frames_of(sample), run.backbone.token_grid
        columns = [
            np.stack(
                [upsample_patches(row[number, :, c], grid, frames.shape[:3]) for c in range(3)], -1
            )
            for row in found.values()
        ]
        address = pictures.embed_animation([frames, *columns])
        blocks.append(('picture', (address, f'clip | {names}')))
    reasons = [('missing', f'{name} teacher: {why}') for name, why in missing.items()]
    about = 'Colours are the three principal components of each network; they mean nothing across.'
    return [('text', about), *blocks, *reasons]


def neighbours(run: Run) -> list[tuple]:
    """The nearest videos of the bank to held-out ones, and a map of both."""
    if not run.students:
        raise Missing('no student saved yet')
    if run.held_out is None:
        raise Missing('the config has no val_dataloader, so no held-out videos')
    model = features.student_of(run, list(run.students)[-1])
    bank, queries = (features.embed_videos(model, dataset) for dataset in run.held_out)
    if not bank.samples or not queries.samples:
        raise Missing('no video of one of the two lists can be read')
    similarity = queries.features @ bank.features.T
    nearest = similarity.topk(min(NEIGHBOURS, len(bank.samples)), dim=1)
    blocks = [
        (
            'text',
            f'Left: held-out video; then its nearest of {len(bank.samples)} videos in the bank.',
        )
    ]
    for query in spread(len(queries.samples), QUERIES):
        chosen = nearest.indices[query].tolist()
        strip = [_middle(run.held_out[1], queries.samples[query])]
        strip += [_middle(run.held_out[0], bank.samples[place]) for place in chosen]
        scores = ', '.join(f'{score:.2f}' for score in nearest.values[query])
        labels = [queries.labels[query], *(bank.labels[place] for place in chosen)]
        first, *others = (class_name(run.held_out[0], label) for label in labels)
        classes = '' if min(labels) < 0 else f'; classes {first} | {", ".join(others)}'
        blocks.append(('picture', (pictures.embed_strip(strip), f'cosine {scores}{classes}')))
    return [*blocks, ('picture', (_map(bank, queries), 'Embedding map: two principal components'))]


def evaluation(run: Run) -> list[tuple]:
    """What was measured along the run."""
    rows = {key: values for key, values in run.scalars.items() if '/' in key}
    if not rows:
        raise Missing(
            'no evaluation in the log: it comes with a val_dataloader (kNN, linear probe)'
        )
    steps = sorted(set(itertools.chain.from_iterable(rows.values())))
    table = [
        (key, *(f'{v[step]:.4g}' if step in v else '' for step in steps)) for key, v in rows.items()
    ]
    return [('table', (('', *(f'epoch {step}' for step in steps)), table))]


def config(run: Run) -> list[tuple]:
    """The config of the run."""
    return [('code', run.cfg.pretty_text)]


def environment(run: Run) -> list[tuple]:
    """Versions here, where the report is made."""
    found = {'pmd_mmaction': __version__, **collect_env()}
    return [('code', '\n'.join(f'{key}: {value}' for key, value in found.items()))]


SECTIONS: dict[str, tuple[str, Callable[[Run], list[tuple]]]] = {
    'overview': ('What ran', overview),
    'health': ('Health', health),
    'curves': ('Curves', curves),
    'masks': ('Masks', masks),
    'difficulty': ('Difficulty', difficulty),
    'patches': ('Patch features', patches),
    'neighbours': ('Neighbours', neighbours),
    'evaluation': ('Evaluation', evaluation),
    'config': ('Config', config),
    'environment': ('Environment', environment),
}


def make_sections(run: Run) -> list[Section]:
    """All sections; what one lacks, or why it failed, stands in it."""
    made = []
    for name, (title, make) in SECTIONS.items():
        try:
            blocks = make(run)
        except Missing as reason:
            blocks = [('missing', str(reason))]
        except Exception as error:  # the others are still worth a page
            blocks = [('missing', f'could not be made: {type(error).__name__}: {error}')]
        plt.close('all')
        made.append(Section(name, title, blocks))
    return made


def class_name(dataset, label: int) -> str:
    """The name that the data set has for a class, else its number."""
    names = getattr(dataset, 'metainfo', {}).get('classes', ())
    return names[label] if 0 <= label < len(names) else str(label)


def _middle(dataset, index: int) -> np.ndarray:
    frames = frames_of(sample_of(dataset, index))
    frame = frames[len(frames) // 2]
    factor = max(1, round(pictures.HEIGHT / frame.shape[0]))
    return np.pad(frame.repeat(factor, 0).repeat(factor, 1), ((0, 0), (0, 4), (0, 0)))


def _map(bank: features.Embeddings, queries: features.Embeddings) -> str:
    """Points of all videos, coloured by class; twenty colours take turns, black has no label."""
    points = features.project(np.concatenate([bank.features, queries.features]), 2)
    figure, axis = plt.subplots(figsize=(6, 5), layout='constrained')
    parts = ((bank, points[: len(bank.samples)], 'o'), (queries, points[len(bank.samples) :], '^'))
    for (part, rows, marker), label in zip(parts, ('bank', 'held out')):
        colours = [plt.cm.tab20(n % 20) if n >= 0 else 'black' for n in part.labels]
        axis.scatter(*rows.T, c=colours, marker=marker, label=label, alpha=0.7, s=24)
    axis.set(xticks=[], yticks=[])
    axis.legend()
    return pictures.embed_figure(figure)
