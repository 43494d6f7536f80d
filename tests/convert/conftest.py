"""Models of Hugging Face as independent implementations, none of whose weights is zero."""

import json

import pytest
import torch
from safetensors.torch import save_file

SMALL = dict(
    hidden_size=48,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=96,
    layer_norm_eps=1e-6,
    decoder_hidden_size=16,
    decoder_num_attention_heads=2,
    decoder_num_hidden_layers=1,
    decoder_intermediate_size=32,
)


@pytest.fixture(scope='session')
def hf_model(randomize):
    """Builds a VideoMAE of transformers by the name of its class."""
    import transformers

    def build(kind='VideoMAEModel', frames=4, size=32, **changes):
        changes.setdefault('use_mean_pooling', kind == 'VideoMAEForVideoClassification')
        config = transformers.VideoMAEConfig(
            num_frames=frames, image_size=size, num_labels=5, **SMALL | changes
        )
        torch.manual_seed(0)
        return randomize(getattr(transformers, kind)(config)).eval()

    return build


@pytest.fixture(scope='session')
def random_frames():
    """Makes ``(B, T, C, H, W)`` clips."""

    def make(frames=4, size=32, batch=1):
        generator = torch.Generator().manual_seed(1)
        return torch.randn(batch, frames, 3, size, size, generator=generator)

    return make


@pytest.fixture(scope='session')
def published():
    """Writes a model as the published files are: transformers 4 named the biases otherwise."""

    def write(model, folder):
        folder.mkdir(parents=True, exist_ok=True)
        config = model.config.to_dict() | dict(architectures=[type(model).__name__])
        (folder / 'config.json').write_text(json.dumps(config))
        names = {'query.bias': 'q_bias', 'value.bias': 'v_bias'}
        state = {}
        for key, value in model.state_dict().items():
            for new, old in names.items():
                key = key.replace(new, old)
            state[key] = value.contiguous()
        save_file(state, folder / 'model.safetensors', metadata=dict(format='pt'))
        return state

    return write
