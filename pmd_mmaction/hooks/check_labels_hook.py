"""Refuses fine-tuning on labels that are not classes of the head."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from pmd_mmaction.hooks.unwrapped_datasets import plain_datasets
from pmd_mmaction.hooks.unwrapped_model import plain_model

NO_LABEL = -1  # used by data sets where a list has no label


class StrangeLabels(NamedTuple):
    """Labels in a list file that are not classes.

    Attributes:
        found: the list file, the line, the number of such labels and the first of them.
        remedy: how to fix it.
    """

    found: str
    remedy: str


def find_strange_labels(
    ann_file: str, entries: Sequence[tuple[str, Sequence[int]]], num_classes: int
) -> StrangeLabels | None:
    """Finds labels outside 0 to ``num_classes - 1``.

    Args:
        ann_file: the list file.
        entries: path and labels of each video in list order; ``NO_LABEL`` means a missing label.
        num_classes: number of classes of the head.

    Returns:
        The findings, or None if all labels are classes.
    """
    strange = [
        (index, path, label)
        for index, (path, labels) in enumerate(entries)
        for label in labels
        if not 0 <= label < num_classes
    ]
    if not strange:
        return None
    everything = {label for _, labels in entries for label in labels}
    index, path, label = strange[0]
    found = f'{_place(ann_file, index, len(entries))}: '
    if everything == {NO_LABEL}:
        remedy = "write a label as the last column of every line (docs/data.md, 'List files')"
        return StrangeLabels(f'{found}{path} has no label, and no other video has one', remedy)
    found += f'{len(strange)} labels outside 0-{num_classes - 1}, such as {label} of {path}'
    if min(everything) == 1 and max(everything) == num_classes:
        remedy = (
            f'the labels start at 1, and num_classes={num_classes} needs 0 to {num_classes - 1}: '
            f"subtract 1, awk '{{$NF -= 1}} 1' {ann_file}"
        )
    else:
        remedy = f'set cls_head.num_classes (now {num_classes}), or correct the list'
    return StrangeLabels(found, remedy)


def _place(ann_file: str, index: int, count: int) -> str:
    """The list file, with the line of a video if every non-empty line is a video."""
    if os.path.isfile(ann_file):
        with open(ann_file, 'rb') as file:
            numbers = [number for number, line in enumerate(file, start=1) if line.strip()]
        if len(numbers) == count:
            return f'{ann_file}, line {numbers[index]}'
    return ann_file


@HOOKS.register_module()
class CheckLabelsHook(Hook):
    """Checks the labels of all list files before the first step of fine-tuning.

    A label that is not a class fails an assertion in the loss, which on a GPU names neither the
    video nor the label; in validation it just counts as wrong. Models without a head
    (pre-training) are not checked, and a test accepts lists without labels, with a warning.

    Raises:
        ValueError: naming the list, the line and the remedy.
    """

    def before_train(self, runner) -> None:
        """Checks the lists for training and validation."""
        for loop in (runner.train_loop, runner.val_loop):
            if loop is not None:
                self._check(runner, loop.dataloader.dataset)

    def before_test(self, runner) -> None:
        """Checks the test list."""
        self._check(runner, runner.test_loop.dataloader.dataset, unlabelled=True)

    @staticmethod
    def _check(runner, dataset, unlabelled: bool = False) -> None:
        num_classes = getattr(getattr(plain_model(runner), 'cls_head', None), 'num_classes', None)
        for plain in plain_datasets(dataset) if num_classes else ():
            entries = _read_entries(plain)
            if unlabelled and all(labels == [NO_LABEL] for _, labels in entries):
                runner.logger.warning(
                    f'{plain.ann_file} has no labels: accuracies on it mean nothing'
                )
                continue
            strange = find_strange_labels(plain.ann_file, entries, num_classes)
            if strange is not None:
                raise ValueError(f'{strange.found}. Remedy: {strange.remedy}')


def _read_entries(dataset: BaseDataset) -> list[tuple[str, list[int]]]:
    """Path and labels of each video of a data set that has labels."""
    # BaseDataset's method: those of MMAction2 turn several labels into a vector
    infos = [BaseDataset.get_data_info(dataset, i) for i in range(len(dataset))]
    return [
        (
            str(info.get('filename', info.get('frame_dir', ''))),
            info['label'] if isinstance(info['label'], list) else [info['label']],
        )
        for info in infos
        if 'label' in info
    ]
