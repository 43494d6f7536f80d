"""A plain distillation step in the manner of MVD, from stock parts only."""

import pytest
import timm
import torch
import torch.nn.functional as F
from mmaction.models.backbones.vit_mae import Block, VisionTransformer, get_sinusoid_encoding
from torch import nn

from pmd_mmaction.functional import Phase


class StockDecoder(nn.Module):
    """Blocks over visible and mask tokens; boolean masks as in MVD's own scripts."""

    def __init__(self, in_dims, out_dims, patches, dims=28, heads=2, depth=2):
        super().__init__()
        self.embed = nn.Linear(in_dims, dims, bias=False)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, dims))
        self.blocks = nn.ModuleList(Block(dims, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dims, eps=1e-6)
        self.head = nn.Linear(dims, out_dims)
        self.positions = get_sinusoid_encoding(patches, dims)

    def forward(self, tokens, mask):
        batch, dims = len(tokens), self.mask_token.shape[-1]
        positions = self.positions.expand(batch, -1, -1)
        visible = self.embed(tokens) + positions[~mask].reshape(batch, -1, dims)
        masked = self.mask_token + positions[mask].reshape(batch, -1, dims)
        x = torch.cat([visible, masked], 1)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x[:, visible.shape[1] :]))


class StockStudent(nn.Module):
    """Encoder and decoders with the names of PMDRecognizer's parameters."""

    def __init__(self, sizes, out_dims):
        super().__init__()
        self.backbone = VisionTransformer(**sizes.student, use_mean_pooling=False)
        dims, patches = self.backbone.embed_dims, self.backbone.pos_embed.shape[1]
        self.decoders = nn.ModuleDict(
            {name: StockDecoder(dims, out, patches) for name, out in out_dims.items()}
        )

    def encode(self, clips, mask):
        net = self.backbone
        x = net.patch_embed(clips)[0] + net.pos_embed
        x = x[~mask].reshape(len(clips), -1, net.embed_dims)
        layers = []
        for block in net.blocks:
            x = block(x)
            layers.append(x)
        return net.norm(x), layers

    def forward(self, clips, mask):
        """Teacher name to the (B, N, D) predictions; NaN at visible patches."""
        tokens, _ = self.encode(clips, mask)
        result = {}
        for name, decoder in self.decoders.items():
            decoded = decoder(tokens, mask)
            full = decoded.new_full((*mask.shape, decoded.shape[-1]), float('nan'))
            result[name] = full.masked_scatter(mask[..., None].expand_as(full), decoded)
        return result


@pytest.fixture
def stock_student(sizes):
    """Builds a StockStudent with the weights of a model."""

    def make(model):
        dims = {name: teacher.embed_dims for name, teacher in model.teachers.items()}
        student = StockStudent(sizes, dims)
        student.load_state_dict(model.student_state_dict())
        return student

    return make


@pytest.fixture
def stock_targets(sizes):
    """Teacher name to the (B, N, D) features of all patches, from stock networks."""

    @torch.no_grad()
    def compute(model, clips, layer_norm=True):
        result = {}
        for name, teacher in model.teachers.items():
            state = teacher.network.state_dict()
            if name == 'img':
                cfg = sizes.image_teacher
                net = timm.create_model(cfg['model_name'], num_classes=0, **cfg['model_kwargs'])
                net.load_state_dict(state)
                mean = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1) / 255
                std = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1) / 255
                frames = [(clips[:, :, t] * std + mean - 0.5) / 0.5 for t in range(0, 4, 2)]
                features = torch.cat([net.eval().forward_features(f)[:, 1:] for f in frames], 1)
            else:
                net = VisionTransformer(
                    **sizes.video_teacher, use_mean_pooling=False, return_feat_map=True
                )
                net.load_state_dict(state)
                features = net.eval()(clips).flatten(2).transpose(1, 2)
            if layer_norm:
                features = F.layer_norm(features, features.shape[-1:])
            result[name] = features
        return result

    return compute


@pytest.fixture
def mask_of():
    """The boolean (B, N) mask that a model draws for a seed."""

    def draw(model, clips, seed, auxiliary=False):
        model.seed_masks(seed)
        index = model.draw_views(clips)['auxiliary' if auxiliary else 'student'].masked
        mask = torch.zeros(len(clips), model.backbone.num_patches, dtype=torch.bool)
        for row, masked in zip(mask, index):
            row[masked] = True
        return mask

    return draw


@pytest.fixture
def total_gradients():
    """Name to gradient of the total loss, for every parameter."""

    def compute(model, inputs, samples, seed=7):
        model.zero_grad()
        model.seed_masks(seed)
        losses = model.loss(inputs, samples)
        sum(losses.values()).backward()
        grads = {name: p.grad for name, p in model.named_parameters()}
        return losses, grads

    return compute


@pytest.fixture
def batch(random_clips, make_samples):
    """Two videos with one clip each: inputs, samples."""
    return random_clips()[:, None], make_samples(3, 1)


@pytest.fixture
def in_second_phase(make_recognizer, randomize):
    """Builds a model whose student has moved on since it was promoted."""

    def make(ratio=0.85, **overrides):
        model = make_recognizer(**overrides)
        model.promote_student()
        randomize(model.backbone, 5, std=0.1)
        randomize(model.decoders, 6, std=0.1)
        model.set_phase(Phase(1, ratio, 1, 2), previous_ratio=0.75)
        return model

    return make
