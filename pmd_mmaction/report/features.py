"""What student and teachers have learnt, seen in their features."""

from typing import Mapping, NamedTuple

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from torch import Tensor, nn

from pmd_mmaction.diagnosis.finding import first_line
from pmd_mmaction.evaluation import compute_features, load_frozen
from pmd_mmaction.models.recognizers.part_building import build_teachers
from pmd_mmaction.report.run import Run, sample_of, spread
from pmd_mmaction.teacher_configs import find_teachers

MOST = 200  # videos of each split
BATCH = 8


class Embeddings(NamedTuple):
    """Features of whole videos.

    Attributes:
        samples: places in their data set.
        features: ``(S, D)`` float32, of length 1.
        labels: S classes; -1: none.
    """

    samples: list[int]
    features: Tensor
    labels: list[int]


def student_of(run: Run, title: str) -> nn.Module:
    """The model with the student of a file, in eval mode."""
    return load_frozen(run.cfg, str(run.students[title]))


def open_teachers(run: Run, student: nn.Module) -> tuple[dict[str, nn.Module], dict[str, str]]:
    """The teachers by name, and why those that are missing are."""
    found, missing = {}, {}
    for name, teacher in find_teachers(run.cfg.model).items():
        try:
            found[name] = build_teachers(student, {name: teacher.config})[name]
        except Exception as error:  # a teacher may be any code, and its file anywhere
            missing[name] = f'{type(error).__name__}: {first_line(error)}'
    return found, missing


@torch.no_grad()
def patch_features(
    model: nn.Module, samples: list[dict], teachers: Mapping[str, nn.Module]
) -> dict[str, np.ndarray]:
    """Features of the patches of some clips, the whole clip seen.

    Args:
        model: result of :func:`student_of`.
        samples: packed clips.
        teachers: by their names.

    Returns:
        ``''`` (the student) and the names of the teachers to ``(clips, N, D)``.
    """
    inputs = model.data_preprocessor(pseudo_collate(samples), training=False)['inputs'][:, :1]
    found = {'': compute_features(model, inputs, per_patch=True)[:, 0]}
    for name, teacher in teachers.items():
        found[name] = teacher(inputs.flatten(0, 1)).features.float()
    return {name: features.cpu().numpy() for name, features in found.items()}


def principal_colours(features: np.ndarray) -> np.ndarray:
    """The three principal components of features as colours, each stretched from 0 to 255.

    Args:
        features: ``(clips, N, D)``; the components are those of all patches together.

    Returns:
        ``(clips, N, 3)`` uint8.
    """
    scores = project(features.reshape(-1, features.shape[-1]), 3)
    low, high = np.percentile(scores, [2, 98], axis=0)
    shares = np.clip((scores - low) / np.maximum(high - low, 1e-9), 0, 1)
    return (255 * shares).astype(np.uint8).reshape(*features.shape[:-1], 3)


def project(rows: np.ndarray, components: int) -> np.ndarray:
    """``(S, components)`` scores of ``(S, D)`` rows along their principal axes; missing ones 0."""
    centred = rows - rows.mean(0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:components]
    scores = centred @ axes.T
    return np.pad(scores, ((0, 0), (0, components - scores.shape[1])))


@torch.no_grad()
def embed_videos(model: nn.Module, dataset: torch.utils.data.Dataset) -> Embeddings:
    """Embeds at most :data:`MOST` videos, evenly spread; those that cannot be read are left out."""
    places, features, labels = [], [], []
    wanted = spread(len(dataset), MOST)
    for start in range(0, len(wanted), BATCH):
        batch = []
        for index in wanted[start : start + BATCH]:
            try:
                batch.append((index, sample_of(dataset, index)))
            except Exception:  # a broken video must not cost the report
                continue
        if not batch:
            continue
        samples = [sample for _, sample in batch]
        data = model.data_preprocessor(pseudo_collate(samples), training=False)
        features.append(compute_features(model, data['inputs']).cpu())
        places += [index for index, _ in batch]
        labels += [_label(sample) for sample in samples]
    rows = torch.nn.functional.normalize(torch.cat(features), dim=1) if features else torch.empty(0)
    return Embeddings(places, rows, labels)


def _label(sample: dict) -> int:
    label = sample['data_samples'].get('gt_label')
    return -1 if label is None else int(label)
