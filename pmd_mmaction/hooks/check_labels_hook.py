"""No fine-tuning on labels that are no classes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from pmd_mmaction.hooks.unwrapped_datasets import plain_datasets
from pmd_mmaction.hooks.unwrapped_model import plain_model

NO_LABEL = -1  # what data sets give where a list has none


class StrangeLabels(NamedTuple):
    """Labels of a list that are no classes.

    Attributes:
        found: the list, the line, how many there are and the first.
        remedy: what to do.
    """

    found: str
    remedy: str


def find_strange_labels(
    ann_file: str, entries: Sequence[tuple[str, Sequence[int]]], num_classes: int
) -> StrangeLabels | None:
    """Finds labels outside of 0 to ``num_classes - 1``.

    Args:
        ann_file: the list.
        entries: path and labels of each video in the order of the list; ``NO_LABEL`` is a missing
            one.
        num_classes: of the head.

    Returns:
        What was found, or None if all labels are classes.
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
            f'the labels start at 1, and num_classes={num_classes} wants 0 to {num_classes - 1}: '
            f"subtract 1, awk '{{$NF -= 1}} 1' {ann_file}"
        )
    else:
        remedy = f'set cls_head.num_classes (now {num_classes}), or mend the list'
    return StrangeLabels(found, remedy)


def _place(ann_file: str, index: int, count: int) -> str:
    """The list and the line of a video, where every line with text is a video."""
    if os.path.isfile(ann_file):
        with open(ann_file, 'rb') as file:
            numbers = [number for number, line in enumerate(file, start=1) if line.strip()]
        if len(numbers) == count:
            return f'{ann_file}, line {numbers[index]}'
    return ann_file


@HOOKS.register_module()
class CheckLabelsHook(Hook):
    """Looks at the labels of all lists before the first step of a fine-tuning.

    A label that is no class ends in an assertion of the loss, on a GPU one that names neither the
    video nor the label; in a validation it just counts as wrong. Models without a head
    (pre-training) have no classes, and a test takes lists without labels.

    Raises:
        ValueError: naming the list, the line and the remedy.
    """

    def before_train(self, runner) -> None:
        """Looks at the lists of training and of validation."""
        for loop in (runner.train_loop, runner.val_loop):
            if loop is not None:
                self._check(runner, loop.dataloader.dataset)

    def before_test(self, runner) -> None:
        """Looks at the list of the test."""
        self._check(runner, runner.test_loop.dataloader.dataset, unlabelled=True)

    @staticmethod
    def _check(runner, dataset, unlabelled: bool = False) -> None:
        num_classes = getattr(getattr(plain_model(runner), 'cls_head', None), 'num_classes', None)
        for plain in plain_datasets(dataset) if num_classes else ():
            entries = _read_entries(plain)
            if unlabelled and all(labels == [NO_LABEL] for _, labels in entries):
                continue
            strange = find_strange_labels(plain.ann_file, entries, num_classes)
            if strange is not None:
                raise ValueError(f'{strange.found}. Remedy: {strange.remedy}')


def _read_entries(dataset: BaseDataset) -> list[tuple[str, list[int]]]:
    """Path and labels of each video of a data set that has labels."""
    # the method of BaseDataset: those of MMAction2 turn several labels into a vector
    infos = [BaseDataset.get_data_info(dataset, i) for i in range(len(dataset))]
    return [
        (
            str(info.get('filename', info.get('frame_dir', ''))),
            info['label'] if isinstance(info['label'], list) else [info['label']],
        )
        for info in infos
        if 'label' in info
    ]
