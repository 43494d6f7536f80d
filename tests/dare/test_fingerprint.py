"""The fingerprint of a data set."""

import json
from pathlib import Path

import pytest

from pmd_mmaction.dare import dataset_fingerprint

NAMES = ['a/1.mp4', 'a/2.mp4', 'b/3.mp4']


def test_depends_on_names_and_order_only():
    fingerprint = dataset_fingerprint(NAMES)
    assert fingerprint['num_videos'] == 3
    assert len(bytes.fromhex(fingerprint['sha256'])) == 32
    assert fingerprint == dataset_fingerprint(iter(NAMES)) == dataset_fingerprint(map(Path, NAMES))
    assert json.loads(json.dumps(fingerprint)) == fingerprint
    others = [NAMES[::-1], NAMES[:2], [*NAMES[:2], 'b/4.mp4'], ['a/1.mp4a', '/2.mp4', NAMES[2]]]
    digests = {dataset_fingerprint(names)['sha256'] for names in others}
    assert len(digests) == 4 and fingerprint['sha256'] not in digests


@pytest.mark.parametrize('root', ['/data/k400', '/elsewhere/k400/', 'data/k400', Path('/x')])
def test_moving_the_data_changes_nothing(root):
    below = [str(Path(root) / name) for name in NAMES]
    assert dataset_fingerprint(below, root) == dataset_fingerprint(NAMES)
    assert dataset_fingerprint(NAMES, root) == dataset_fingerprint(NAMES)
    assert dataset_fingerprint(below) != dataset_fingerprint(NAMES)


def test_does_not_change_between_releases():
    """A table saved by an older release must still be accepted."""
    digest = 'd729c15bb3affd18fbaf2931355517698341b9f41616a0594e4a9a94a46203dd'
    assert dataset_fingerprint(NAMES)['sha256'] == digest


def test_names_that_are_not_utf8():
    assert dataset_fingerprint(['caf\udce9.mp4'])['num_videos'] == 1


def test_a_single_string_is_refused():
    with pytest.raises(TypeError, match='single string'):
        dataset_fingerprint('videos.txt')


@pytest.mark.parametrize('root', [None, '/data/x'])
@pytest.mark.parametrize(
    'odd, plain',
    [('e/./f.mp4', 'e/f.mp4'), ('b//c.mp4', 'b/c.mp4'), ('d/', 'd'), ('d/.', 'd'), ('./a', 'a')],
)
def test_odd_names_count_as_their_paths(root, odd, plain):
    below = '' if root is None else f'{root}/'
    assert dataset_fingerprint([below + odd], root) == dataset_fingerprint([plain])
