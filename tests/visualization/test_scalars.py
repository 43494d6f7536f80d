"""Which lines of several logs belong to a run."""

import json

import pytest

from pmd_mmaction.visualization import read_scalars

LENGTH = 10  # iterations of an epoch


@pytest.fixture
def logs(tmp_path):
    """Writes a log per list of lines, and reads all."""

    def read(*lists):
        paths = []
        for number, lines in enumerate(lists):
            paths.append(tmp_path / f'{number}.json')
            paths[-1].write_text('\n'.join(map(json.dumps, lines)))
        return read_scalars(paths)

    return read


def training(begin, end, value=0.5, by_epoch=True, **more):
    """Lines as MMEngine and the hooks write them: every 2 iterations, balance every 5."""
    for step in range(begin, end + 1):
        if step % 2 == 0:
            line = dict(loss=value, time=1.0, **more)
            yield dict(line, iter=step, epoch=(step - 1) // LENGTH + 1, step=step)
        if step % 5 == 0:
            yield dict(term_norm_base=value, step=step)
        if step % LENGTH == 0:
            place = step // LENGTH if by_epoch else step
            yield {'knn/top1': value, 'time': 9.0, 'step': place}


def test_a_run_that_was_resumed(logs):
    scalars = logs([*training(1, 37, 1.0)], [*training(31, 60, 2.0)])
    assert scalars['loss'] == {s: 1.0 if s < 31 else 2.0 for s in range(2, 61, 2)}
    assert scalars['term_norm_base'] == {s: 1.0 if s < 31 else 2.0 for s in range(5, 61, 5)}
    assert scalars['knn/top1'] == {1: 1.0, 2: 1.0, 3: 1.0, 4: 2.0, 5: 2.0, 6: 2.0}
    assert {*scalars['time'].values()} == {1.0}  # validations are no waiting for data


def test_validations_by_iteration(logs):
    parts = [*training(1, 37, 1.0, False)], [*training(31, 60, 2.0, False)]
    values = {10: 1.0, 20: 1.0, 30: 1.0, 40: 2.0, 50: 2.0, 60: 2.0}
    assert logs(*parts)['knn/top1'] == values


def test_a_run_that_was_begun_anew_with_a_lower_rate(logs):
    scalars = logs([*training(1, 60, 9.0, term_cosine_al=0.1)], [*training(1, 20)])
    assert scalars['loss'] == dict.fromkeys(range(2, 21, 2), 0.5)
    assert scalars['knn/top1'] == {1: 0.5, 2: 0.5} and 'term_cosine_al' not in scalars


def test_a_rollback_goes_on_in_the_same_file(logs):
    scalars = logs([*training(1, 34, 1.0), *training(21, 30, 2.0)])
    assert scalars['loss'] == {s: 1.0 if s < 21 else 2.0 for s in range(2, 31, 2)}


def test_a_start_by_mistake_is_no_part_of_the_run(logs):
    """Nor does it take away what came before."""
    scalars = logs([*training(1, 50, 1.0)], [*training(1, 4, 9.0)], [*training(51, 60, 2.0)])
    assert scalars['loss'] == {s: 1.0 if s < 51 else 2.0 for s in range(2, 61, 2)}


def test_an_attempt_that_logged_no_step_changes_nothing(logs):
    lines = [*training(1, 20)]
    assert logs(lines, []) == logs(lines)
    assert logs([{'knn/top1': 0.1, 'step': 0}], lines)['knn/top1'] == {0: 0.1, 1: 0.5, 2: 0.5}
