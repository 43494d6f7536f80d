"""Files of recorded steps of public codes, and our models in their sizes with their weights.

A file holds random weights, synthetic clips and masks at a tiny size, and what the training loop of
a method's own code made of them in float32 on the CPU, without drop path: data and figures only.
All sizes are read from the file, so any other recording of the same method can be checked:
``GOLDEN_FILES=folder pytest tests/models/recognizers`` looks for it in another folder.
"""

import json
import os
import re
from pathlib import Path

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from safetensors import safe_open

from pmd_mmaction.convert.videomae import read_videomae
from pmd_mmaction.functional import split_mask
from pmd_mmaction.models.maskers import View

ROOT = Path(__file__).parents[3]
FOLDER = Path(os.environ.get('GOLDEN_FILES', ROOT / 'tests' / 'data' / 'golden'))
# Names in the public codes that the encoder's own do not cover, and where these weights are here.
DECODER = [
    (r'mask_token_(img|vid)', r'decoders.\1.mask_token'),
    (r'down_(img|vid)\.', r'decoders.\1.embed.'),
    (r'decoder_(img|vid)\.', r'decoders.\1.'),
    (r'mask_token', 'decoders.pixel.mask_token'),
    (r'encoder_to_decoder\.', 'decoders.pixel.embed.'),
    (r'decoder\.', 'decoders.pixel.'),
    (r'encoder\.projection_heads\.(\d+)\.', r'terms.align.projections.vid.\1.'),
    (r'generators\.(\d+)\.', r'terms.align.generators.vid.\1.'),
    (r'generator_mask_tokens\.(\d+)', r'terms.align.generators.vid.\1.mask_token'),
]


class Golden:
    """One file.

    Args:
        method: its name without suffix.

    Attributes:
        tensors: by name.
        notes: what the file says of itself; ``config`` has the sizes.
    """

    def __init__(self, method: str) -> None:
        with safe_open(FOLDER / f'{method}.safetensors', 'pt') as file:
            self.tensors = {key: file.get_tensor(key) for key in file.keys()}
            self.notes = {key: json.loads(text) for key, text in file.metadata().items()}
        self.size = self.notes['config']

    def __getitem__(self, key: str) -> torch.Tensor:
        return self.tensors[key]

    def part(self, prefix: str) -> dict[str, torch.Tensor]:
        """The tensors under a prefix, which is taken off."""
        return {
            key.removeprefix(prefix): value
            for key, value in self.tensors.items()
            if key.startswith(prefix)
        }

    # ------------------------------------------------------------------ our model

    def grid(self) -> dict:
        """Arguments of an encoder that follow from the clips."""
        names = dict(img_size='img', patch_size='patch', num_frames='frames')
        return {ours: self.size[theirs] for ours, theirs in names.items()}

    def encoder(self, sizes: list[int]) -> dict:
        """Arguments of an encoder of (width, depth, heads)."""
        return dict(mlp_ratio=self.size['mlp_ratio'], **_vit(sizes), **self.grid())

    def decoder(self, sizes: list[int]) -> dict:
        """Arguments of a decoder of (width, depth, heads)."""
        return dict(mlp_ratio=self.size['mlp_ratio'], **_vit(sizes))

    def build(self, config: str, change) -> torch.nn.Module:
        """The model of a shipped config in the sizes of the file, with its weights.

        Args:
            config: path below ``configs``.
            change: takes the model's config and fits further parts to the file.
        """
        cfg = Config.fromfile(ROOT / 'configs' / config).model
        cfg.backbone.update(self.encoder(self.size['s']), drop_path_rate=0.0)
        cfg.decoder.update(self.decoder(self.size['dec']))
        change(cfg)
        model = MODELS.build(cfg)
        load(model, self.part('student.') | self.part('student_unsaved.'), self.size['patch'])
        return model.eval()

    def view(self, mask: str = 'mask') -> View:
        """The patches that a recorded mask leaves visible, and the others."""
        return View(*split_mask(self[mask], int((~self[mask][0]).sum())))

    def rows(self, key: str) -> torch.Tensor:
        """Recorded pixels of patches, channel after channel as here."""
        return channels_first(self[key], -1)


def _vit(sizes: list[int]) -> dict:
    return dict(zip(('embed_dims', 'depth', 'num_heads'), sizes))


def channels_first(pixels: torch.Tensor, dim: int) -> torch.Tensor:
    """Pixels of a patch, channels fastest, as one channel after the other."""
    pixels = pixels.movedim(dim, -1).unflatten(-1, (-1, 3)).mT.flatten(-2)
    return pixels.movedim(-1, dim)


def ours(key: str) -> str | None:
    """The name that a weight of a public code's student has here; None: it has no use."""
    if key.startswith('pos_embed'):  # tables, which the tests compare
        return None
    for pattern, name in DECODER:
        if re.match(pattern, key):
            key = re.sub(f'^{pattern}', name, key)
            key = key.replace('mlp.fc1.', 'mlp.layers.0.0.').replace('mlp.fc2.', 'mlp.layers.1.')
            return None if '.generators.' in key and '.norm.' in key else key
    return read_videomae({key: torch.zeros(())}).renamed[key]


def load(model: torch.nn.Module, weights: dict[str, torch.Tensor], patch: int) -> None:
    """Loads weights under the names of VideoMAE's code, or of those built on it."""
    state = {'backbone.pos_embed': model.backbone.pos_embed}
    for key, value in weights.items():
        name = ours(key)
        if name is not None:
            head = name.startswith('decoders.pixel.head.')
            state[name] = channels_first(value, 0) if head else value.float()
    model.load_state_dict(state)


# ---------------------------------------------------------------------- comparing


def close(found: torch.Tensor, expected: torch.Tensor, tolerance: float = 1e-5) -> None:
    """Fails where the difference exceeds a share of the largest value."""
    scale = expected.abs().max().item()
    torch.testing.assert_close(found, expected.float(), rtol=0, atol=tolerance * scale)


def check_gradients(golden: Golden, model: torch.nn.Module) -> None:
    """Compares recorded gradients, and the norm of every parameter's, after a backward."""
    found = {name: p.grad for name, p in model.named_parameters()}
    unused = set(golden.size.get('parameters_without_gradient', ()))
    norms = {ours(key): norm for key, norm in golden.part('gradnorm.').items() if key not in unused}
    trained = {ours(key): norm for key, norm in golden.part('grad.').items()}
    assert norms.keys() == found.keys()
    for name, norm in norms.items():
        close(found[name].norm(), norm, 1e-4)
    for name, gradient in trained.items():
        if name.startswith('decoders.pixel.head.'):
            gradient = channels_first(gradient, 0)
        close(found[name], gradient, 1e-4)


def check_groups(golden: Golden, model: torch.nn.Module, config: str) -> None:
    """Compares parameters with and without weight decay."""
    from mmengine.optim import build_optim_wrapper

    cfg = Config.fromfile(ROOT / 'configs' / config).optim_wrapper
    wrapper = build_optim_wrapper(model, cfg)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found: dict[float, set] = {}
    for group in wrapper.optimizer.param_groups:
        own = {names[id(parameter)] for parameter in group['params']}
        found.setdefault(group['weight_decay'], set()).update(own)
    expected = {
        group['weight_decay']: {ours(key) for key in group['names']} - {None}
        for group in golden.notes['param_groups']
    }
    assert found == expected
