"""Files of recorded steps of public codes, and our models in their sizes with their weights.

A file holds random weights, synthetic clips and masks at a tiny size, and what the training loop of
a method's own code made of them in float32 on the CPU, without drop path: data and figures only.
All sizes are read from the file, so any other recording of the same method can be checked:
``GOLDEN_FILES=folder pytest tests/models/recognizers`` looks for it in another folder.
"""

import json
import os
from pathlib import Path

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from safetensors import safe_open

from pmd_mmaction.convert.pretraining import read_pretraining
from pmd_mmaction.functional import split_mask
from pmd_mmaction.models.maskers import View

ROOT = Path(__file__).parents[3]
FOLDER = Path(os.environ.get('GOLDEN_FILES', ROOT / 'tests' / 'data' / 'golden'))


class Golden:
    """One file.

    Args:
        method: its name without suffix.

    Attributes:
        tensors: by name.
        notes: what the file says of itself; ``config`` has the sizes.
        weights: of the student, under our names.
        names: of its weights in the public code to ours; those that have no use are left out.
    """

    def __init__(self, method: str) -> None:
        with safe_open(FOLDER / f'{method}.safetensors', 'pt') as file:
            self.tensors = {key: file.get_tensor(key) for key in file.keys()}
            self.notes = {key: json.loads(text) for key, text in file.metadata().items()}
        self.size = self.notes['config']
        read = read_pretraining(self.part('student.') | self.part('student_unsaved.'))
        self.weights = {key: value.float() for key, value in read.state_dict.items()}
        # tables of positions are compared by the tests
        self.weights.pop('backbone.pos_embed', None)
        self.names = {key: name for key, name in read.renamed.items() if 'pos_embed' not in key}

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
        model.load_state_dict(self.weights | {'backbone.pos_embed': model.backbone.pos_embed})
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


# ---------------------------------------------------------------------- comparing


def close(found: torch.Tensor, expected: torch.Tensor, tolerance: float = 1e-5) -> None:
    """Fails where the difference exceeds a share of the largest value."""
    scale = expected.abs().max().item()
    torch.testing.assert_close(found, expected.float(), rtol=0, atol=tolerance * scale)


def check_gradients(golden: Golden, model: torch.nn.Module) -> None:
    """Compares recorded gradients, and the norm of every parameter's, after a backward."""
    found = {name: p.grad for name, p in model.named_parameters()}
    unused = set(golden.size.get('parameters_without_gradient', ()))
    norms = golden.part('gradnorm.')
    norms = {golden.names[key]: norm for key, norm in norms.items() if key not in unused}
    trained = {golden.names[key]: norm for key, norm in golden.part('grad.').items()}
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
        group['weight_decay']: {golden.names.get(key) for key in group['names']} - {None}
        for group in golden.notes['param_groups']
    }
    assert found == expected
