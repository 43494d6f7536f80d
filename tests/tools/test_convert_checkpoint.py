"""tools/convert_checkpoint.py: a report, one clear error, nothing half-written."""

import runpy
import sys
from pathlib import Path

import pytest
import torch

TOOL = Path(__file__).parents[2] / 'tools' / 'convert_checkpoint.py'


@pytest.fixture
def convert(monkeypatch):
    """Runs the tool in this process; gives its exit code."""

    def run(src, dst, source='videomae', target='mmaction'):
        arguments = [str(TOOL), str(src), str(dst), '--from', source, '--to', target]
        monkeypatch.setattr(sys, 'argv', arguments)
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(TOOL), run_name='__main__')
        return end.value.code

    return run


def test_result_and_report(convert, tmp_path, capsys):
    state = {'encoder.norm.weight': torch.ones(3), 'decoder.head.weight': torch.zeros(2)}
    torch.save(dict(model=state), tmp_path / 'a.pth')
    assert convert(tmp_path / 'a.pth', tmp_path / 'new' / 'b.pth') == 0
    content = torch.load(tmp_path / 'new' / 'b.pth', weights_only=True)
    assert content['state_dict'].keys() == {'norm.weight'}
    assert content['meta']['source'] == 'a.pth'
    printed = capsys.readouterr().out
    assert '1 keys converted, 1 dropped' in printed
    assert 'decoder.head.weight' in printed


@pytest.mark.parametrize(
    'content, options, message',
    [
        (dict(model={'conv1.weight': torch.ones(1)}), {}, 'conv1.weight'),
        (dict(epoch=3), {}, 'holds no weights'),
        (None, {}, 'does not exist'),
        (dict(model={'norm.weight': torch.ones(1)}), dict(target='timm'), 'no conversion'),
    ],
)
def test_what_does_not_fit_is_refused(convert, tmp_path, capsys, content, options, message):
    if content is not None:
        torch.save(content, tmp_path / 'a.pth')
    assert convert(tmp_path / 'a.pth', tmp_path / 'b.pth', **options) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'b.pth').exists()
