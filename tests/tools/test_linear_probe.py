"""Features that tools/linear_probe.py fits its head to."""

import json
from types import SimpleNamespace

import pytest
import torch

from tools import linear_probe


def test_the_clips_of_a_video_are_averaged():
    """As the head does with their scores; labels are of videos."""
    inputs = torch.arange(12.0).view(2, 3, 2)  # two videos of three clips
    samples = [SimpleNamespace(gt_label=label) for label in (4, 1)]
    model = SimpleNamespace(
        backbone=SimpleNamespace(),
        data_preprocessor=lambda batch, training: batch,
        extract_feat=lambda x, test_mode: (x.flatten(0, 1), {}),
    )
    runner = SimpleNamespace(
        model=SimpleNamespace(eval=lambda: model),
        cfg=SimpleNamespace(probe_dataloader=None),
        build_dataloader=lambda loader: [dict(inputs=inputs, data_samples=samples)],
    )
    features, labels = linear_probe.extract(runner)
    assert torch.equal(features, inputs.mean(1)) and labels.tolist() == [4, 1]


@pytest.mark.parametrize('option', ['--out', '--json'])
def test_a_result_that_is_a_folder_is_refused_at_once(tmp_path, option):
    with pytest.raises(SystemExit, match='is a folder: name a file'):
        linear_probe.main(['config.py', 'student.pth', option, str(tmp_path)])


@pytest.mark.parametrize('value', ['0', '-1'])
def test_a_penalty_without_strength_is_refused_at_once(capsys, value):
    with pytest.raises(SystemExit):
        linear_probe.parse_args(['config.py', 'student.pth', f'--c={value}'])
    assert '--c must be above 0' in capsys.readouterr().err


@pytest.mark.parametrize('value', ['0', '-1', 'few'])
def test_no_labels_are_no_number_of_labels(capsys, value):
    with pytest.raises(SystemExit):
        linear_probe.parse_args(['config.py', 'student.pth', f'--labels-per-class={value}'])
    assert f"'{value}' is neither 1 or more nor" in capsys.readouterr().err


def test_a_file_holds_one_head(capsys):
    with pytest.raises(SystemExit):
        linear_probe.parse_args(['c.py', 'x.pth', '--out=y.pth', '--labels-per-class', 'all', '2'])
    assert '--out saves one head' in capsys.readouterr().err


def test_several_numbers_of_labels_give_what_each_gives_alone(monkeypatch, tmp_path):
    torch.manual_seed(0)
    features, labels = torch.randn(12, 2), torch.arange(12) % 3
    head = torch.nn.Linear(2, 3)
    runner = SimpleNamespace(
        model=SimpleNamespace(cls_head=SimpleNamespace(fc_cls=head)),
        test=lambda: {'acc/top1': head.weight.sum().item() + head.bias[0].item()},
    )
    monkeypatch.setattr(linear_probe, 'build_runner', lambda args: runner)
    monkeypatch.setattr(linear_probe, 'extract', lambda runner: (features, labels))

    def metrics(*options):
        file = tmp_path / 'metrics.json'
        linear_probe.main(['config.py', 'student.pth', '--json', str(file), *options])
        return json.loads(file.read_text())

    everything, few = metrics(), metrics('--labels-per-class', '2')
    assert everything.keys() == few.keys() == {'acc/top1'} and everything != few
    assert metrics('--labels-per-class', 'all', '2') == {
        'all/acc/top1': everything['acc/top1'],
        '2/acc/top1': few['acc/top1'],
    }
