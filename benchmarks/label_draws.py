"""Would other draws of the ten labels narrow the board's intervals? Linear probe of its students.

    python benchmarks/label_draws.py --clips work_dirs/leaderboard/board_*.pt \
        work_dirs/leaderboard/board/*

Each work directory of a cell has a student. Its probe is fitted to draws of ten labels a class that
share no video; the scatter of the differences between two methods, paired by seed, is told for
one draw and for the mean over all.
"""

import argparse
import itertools
import json
import logging
import re
from pathlib import Path

import numpy as np
import torch
from board_cell import FEW, linear_scores, tokens_of
from mmengine.config import Config
from mmengine.registry import init_default_scope
from tqdm import tqdm

import pmd_mmaction  # noqa: F401  (registers the components)
from pmd_mmaction.evaluation import fit_linear_probe, load_frozen

CELL = re.compile(r'(.+_\d+epochs)_seed(\d+)_\w+')


def cells(folders: list[Path]) -> dict[tuple[str, int], Path]:
    """Name and seed to the folder of each finished cell.

    Raises:
        SystemExit: for a folder of another kind, or two of one name and seed: they are cells of
            different configs, videos or teachers.
    """
    found: dict[tuple[str, int], Path] = {}
    for folder in folders:
        cell = CELL.fullmatch(folder.name)
        if cell is None:
            raise SystemExit(f'{folder} is not the work directory of a cell of leaderboard.py')
        key = cell[1], int(cell[2])
        if key in found:
            raise SystemExit(f'{found[key]} and {folder} are two versions of a cell: leave one out')
        if (folder / 'student.pth').is_file():
            found[key] = folder
    return found


def draws(labels: torch.Tensor) -> list[torch.Tensor]:
    """Positions of disjoint draws of ten clips of each class."""
    of_class = [torch.nonzero(labels == label).flatten() for label in labels.unique()]
    count = min(map(len, of_class)) // FEW
    return [torch.cat([part[i * FEW : (i + 1) * FEW] for part in of_class]) for i in range(count)]


def accuracies(folder: Path, clips: dict) -> list[float]:
    """Top-1 in % of the student's probe for each draw."""
    model = load_frozen(Config.fromfile(folder / 'config.py'), str(folder / 'student.pth'), 'cpu')
    (known, labels), (asked, answers) = clips['train'], clips['val']
    train, val = (tokens_of(model, part).mean(1) for part in (known, asked))
    found = []
    for draw in draws(labels):
        scores = linear_scores(val, *fit_linear_probe(train[draw], labels[draw]))
        found.append(100 * (scores.argmax(1) == answers).double().mean().item())
    return found


def main() -> None:
    logging.disable(logging.INFO)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folders', nargs='+', type=Path, help='work directories of cells')
    parser.add_argument('--clips', required=True, help='the clips that the board has kept')
    args = parser.parse_args()
    init_default_scope('mmaction')
    clips = torch.load(args.clips, weights_only=True)
    found: dict[str, dict[int, list[float]]] = {}
    for (name, seed), folder in tqdm(cells(args.folders).items()):
        found.setdefault(name, {})[seed] = accuracies(folder, clips)
    one, mean = [], []
    for a, b in itertools.combinations(sorted(found), 2):
        seeds = sorted(found[a].keys() & found[b].keys())
        if len(seeds) > 1:
            difference = np.array([found[a][s] for s in seeds]) - [found[b][s] for s in seeds]
            one.append(difference.var(0, ddof=1).mean())
            mean.append(difference.mean(1).var(ddof=1))
            print(f'{a} - {b}, {len(seeds)} seeds: {one[-1] ** 0.5:.1f} and {mean[-1] ** 0.5:.1f}')
    print(json.dumps(found))
    print(
        'standard deviation of a difference in points, pooled: '
        f'{np.mean(one) ** 0.5:.2f} of one draw, {np.mean(mean) ** 0.5:.2f} of the mean over all'
    )


if __name__ == '__main__':
    main()
