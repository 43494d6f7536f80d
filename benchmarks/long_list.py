"""Time and memory of a list of many videos, and of its fingerprint.

python benchmarks/long_list.py --videos 1000000
"""

import argparse
import tempfile
import time
from pathlib import Path

from harness import machine_line, markdown, peak_gib, resident_gib
from mmengine.registry import init_default_scope

from pmd_mmaction.dare import dataset_fingerprint
from pmd_mmaction.datasets import PathListDataset

ROOT = '/data/kinetics'


def write_list(path: Path, videos: int) -> None:
    """Names as long as those of Kinetics."""
    with path.open('w') as file:
        for i in range(videos):
            file.write(
                f'some_class_name_{i % 400}/AbCdEfGhIjK{i:07d}_000001_000011.mp4 {i % 400}\n'
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--videos', type=int, default=1_000_000)
    videos = parser.parse_args().videos
    init_default_scope('mmaction')
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'list.txt')
        write_list(path, videos)
        before, start = resident_gib(), time.perf_counter()
        dataset = PathListDataset(str(path), [], data_prefix=dict(video=ROOT))
        loaded, memory = time.perf_counter() - start, resident_gib() - before
        peak = peak_gib() - before
    start = time.perf_counter()
    dataset_fingerprint(dataset.file_names(), ROOT)
    digested = time.perf_counter() - start
    print(machine_line())
    print(
        markdown(
            ('videos', 'list, s', 'kept, MiB', 'at most, MiB', 'fingerprint, s'),
            [
                (
                    f'{videos:,}',
                    f'{loaded:.2f}',
                    f'{1024 * memory:.0f}',
                    f'{1024 * peak:.0f}',
                    f'{digested:.2f}',
                )
            ],
        )
    )


if __name__ == '__main__':
    main()
