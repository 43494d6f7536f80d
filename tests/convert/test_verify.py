"""``--verify`` of files that were saved out of a wrapper."""

import pytest
import timm
import torch

from tools.convert_checkpoint import main


@pytest.fixture
def wrapped(tmp_path, hf_model):
    """Writes a model with prefixes, in nested entries, as a wrapped training saves it."""

    def write(source):
        if source == 'timm':
            sizes = dict(img_size=32, patch_size=16, embed_dim=48, depth=2, num_heads=3)
            state = timm.models.VisionTransformer(**sizes, num_classes=0).state_dict()
        else:
            plain = tmp_path / 'plain.pth'
            hf_model().save_pretrained(tmp_path / 'hf')
            options = [str(tmp_path / 'hf'), str(plain), '--from', 'huggingface', '--to', source]
            assert main(options) == 0
            state = torch.load(plain, weights_only=True)['state_dict']
        state = {f'module._orig_mod.{name}': value for name, value in state.items()}
        torch.save({'module': {'state_dict': state}, 'epoch': 1}, tmp_path / 'wrapped.pth')
        return tmp_path / 'wrapped.pth'

    return write


@pytest.mark.parametrize('source, target', [('timm', 'timm'), ('mmaction', 'mmaction')])
def test_source_and_result_agree(wrapped, tmp_path, capsys, source, target):
    options = ['--from', source, '--to', target, '--num-heads', '3', '--verify']
    if source == 'mmaction':
        options += ['--source-frames', '4', '--source-size', '32']
    assert main([str(wrapped(source)), str(tmp_path / 'new.pth'), *options]) == 0
    assert 'difference of tokens between source and result: 0.00e+00' in capsys.readouterr().out
