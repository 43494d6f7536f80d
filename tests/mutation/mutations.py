"""One wrong letter per equation: the table that ``run.py`` works through.

Each row names the equation, the text as it is and the text with the fault.
"""

from typing import NamedTuple


class Mutation(NamedTuple):
    """A fault, and the tests that have to notice it.

    Attributes:
        what: the fault in words.
        old: text of the file; occurs exactly once.
        new: what stands there instead.
        path: file, from the root of the repository.
        tests: test file that must fail.
    """

    what: str
    old: str
    new: str
    path: str
    tests: str


# (file of the package, test file) -> rows (what, old, new)
TABLE = {
    ('functional/checks.py', 'functional/test_checks.py'): [
        ('bound from below: included', 'value > above', 'value >= above'),
        ('least value: refused', 'value >= at_least', 'value > at_least'),
        ('bound from above: included', 'value < below', 'value <= below'),
        ('largest value: refused', 'value <= at_most', 'value < at_most'),
        ('infinity allowed', 'and math.isfinite(value)', ''),
        ('multiples: of nothing', 'if whole % part', 'if part % whole'),
    ],
    ('functional/patch_loss.py', 'functional/test_patch_loss.py'): [
        ('patch distance: sign', '(prediction - target).square()', '(prediction + target).square()'),
        ('patch distance: exponent', '(prediction - target).square()', '(prediction - target).abs()'),
        ('patch distance: mean for sum', 'return error.sum(-1)', 'return error.mean(-1)'),
        ('patch distance: sum for mean', 'return error.mean(-1)', 'return error.sum(-1)'),
        ('patch distance: half precision', 'prediction.float(), target.float()', 'prediction, target'),
        ('smooth L1: L2', "F.smooth_l1_loss(prediction, target, reduction='none')", '(prediction - target).square()'),
        ('smooth L1: beta', "target, reduction='none')", "target, reduction='none', beta=0.5)"),
        ('target norm: mean only', 'F.layer_norm(features, features.shape[-1:])', 'features - features.mean(-1, True)'),
        ('target norm: over the tokens too', 'features.shape[-1:])', 'features.shape[-2:])'),
        ('mean over masked patches: sum', 'return patch_loss.mean()', 'return patch_loss.sum()'),
        ('mean over masked patches: sum over patches', 'return patch_loss.mean()', 'return patch_loss.sum(-1).mean()'),
    ],
    ('functional/difficulty.py', 'functional/test_difficulty.py'): [
        ('smoothing: alpha and 1 - alpha swapped', 'alpha * patch_loss + (1 - alpha) * last', '(1 - alpha) * patch_loss + alpha * last'),
        ('smoothing: sign', '+ (1 - alpha) * last', '- (1 - alpha) * last'),
        ('smoothing: history unweighted', '+ (1 - alpha) * last', '+ last'),
        ('smoothing: loss unweighted', 'return alpha * patch_loss', 'return patch_loss'),
        ('smoothing: gradient through history', 'last.detach()', 'last'),
        ('smoothing: no gradient of the loss', 'alpha * patch_loss +', 'alpha * patch_loss.detach() +'),
        ('weights: tau multiplies', ') / tau).softmax', ') * tau).softmax'),
        ('weights: sign', ') / tau).softmax', ') / -tau).softmax'),
        ('weights: softmax over the clips', '.softmax(-1)', '.softmax(0)'),
        ('weights: no exponential', '((difficulty - difficulty.amax(-1, keepdim=True)) / tau).softmax(-1)', 'difficulty / difficulty.sum(-1, True)'),
        ('weights: gradient through them', 'difficulty.detach().float()', 'difficulty.float()'),
        ('uniform weights: 1/N for 1/N_M', '1 / num_masked', '1 / like.shape[-1]'),
        ('uniform weights: 1', '1 / num_masked)', '1.0)'),
        ('region loss: mean for sum', '(weights * smoothed).sum(-1)', '(weights * smoothed).mean(-1)'),
        ('region loss: weights added', '(weights * smoothed)', '(weights + smoothed)'),
        ('region loss: weights squared', '(weights * smoothed)', '(weights.square() * smoothed)'),
        ('region loss, balanced: sum over clips', "'balanced':\n        return weighted.mean()", "'balanced':\n        return weighted.sum()"),
        ('region loss, paper: N_M multiplies', 'weighted.mean() / smoothed', 'weighted.mean() * smoothed'),
        ('region loss, paper: 1/B for 1/N_M', 'smoothed.shape[-1]', 'smoothed.shape[0]'),
    ],
    ('functional/alignment.py', 'functional/test_alignment.py'): [
        ('thirds: shallow one short', 'return range(third)', 'return range(third - 1)'),
        ('thirds: medium starts early', 'range(third, 2 * third)', 'range(third - 1, 2 * third)'),
        ('thirds: deep without the last', 'range(2 * third, depth)', 'range(2 * third, depth - 1)'),
        ('thirds: any depth', 'depth < 3 or depth % 3', 'depth < 3'),
        ('statistics: exponent', 'features.square().mean(-1)', 'features.abs().mean(-1)'),
        ('statistics: sum over channels', 'features.square().mean(-1)', 'features.square().sum(-1)'),
        ('statistics: mean without 1/|M|', 'self.total / self.count', 'self.total'),
        ('statistics: square without 1/|M|', 'self.square / self.count', 'self.square'),
        ('statistics: layers counted twice', 'self.count += 1', 'self.count += 2'),
        ('statistics: sign of the spread', '- mean.square().mean(-1)', '+ mean.square().mean(-1)'),
        ('statistics: spread without the mean', ' - mean.square().mean(-1)', ''),
        ('statistics: negative spread', 'spread.clamp_min(0)', 'spread'),
        ('statistics: half precision', 'features = features.float()', 'features = features'),
        ('alignment: sign', '(z.float() - group.mean)', '(z.float() + group.mean)'),
        ('alignment: exponent', 'group.mean).square()', 'group.mean).abs()'),
        ('alignment: sum over tokens', '.square().mean() for z', '.square().sum() for z'),
        ('alignment: sum over student layers', 'torch.stack(distances).mean()', 'torch.stack(distances).sum()'),
        ('alignment: sign of the spread', '+ group.spread.mean()', '- group.spread.mean()'),
        ('alignment: no spread', ' + group.spread.mean()', ''),
        ('alignment: spread summed', 'group.spread.mean()', 'group.spread.sum()'),
    ],
    ('functional/masking.py', 'functional/test_masking.py'): [
        ('visible patches: masked ones counted', 'return length - int(', 'return int('),
        ('visible patches: rounded up', 'int(length * mask_ratio + 1e-6)', 'int(length * mask_ratio + 1 - 1e-6)'),
        ('visible patches: no epsilon', ' + 1e-6', ''),
        ('split: visible and masked swapped', 'order[:, :num_visible], order[:, num_visible:]', 'order[:, num_visible:], order[:, :num_visible]'),
        ('split: one short', 'order[:, :num_visible],', 'order[:, : num_visible - 1],'),
        ('split: overlap', 'order[:, num_visible:]', 'order[:, num_visible - 1 :]'),
        ('split: True before False', 'stable=True', 'stable=True, descending=True'),
        ('gather: another axis', 'tokens.gather(1, index.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))', 'tokens[:, : index.shape[1]]'),
    ],
    ('functional/phases.py', 'functional/test_phases.py'): [
        ('phase of an epoch: one late', 'epoch < phase.end', 'epoch <= phase.end'),
        ('phase of an epoch: one early', 'epoch < phase.end', 'epoch < phase.end - 1'),
        ('phase after the end: the first', 'return phase\n        return self.phases[-1]', 'return phase\n        return self.phases[0]'),
        ('phases: end one short', 'begin, begin + epochs)', 'begin, begin + epochs - 1)'),
        ('phases: begin does not add up', 'begin += epochs', 'begin = epochs'),
        ('phases: rising ratio refused', 'ratio < self.phases[-1].mask_ratio', 'ratio > self.phases[-1].mask_ratio'),
        ('stage: one late', 'phase.begin) // stage_epochs', 'phase.begin - 1) // stage_epochs'),
        ('stage: one early', 'phase.begin) // stage_epochs', 'phase.begin + 1) // stage_epochs'),
        ('stage: counted from the first phase', '(epoch - phase.begin) //', 'epoch //'),
        ('stage: rounded up', '(epoch - phase.begin) // stage_epochs', '-(-(epoch - phase.begin) // stage_epochs)'),
    ],
    ('functional/pixels.py', 'functional/test_pixels.py'): [
        ('patchify: rows and columns swapped', '0, 2, 4, 6, 1', '0, 2, 6, 4, 1'),
        ('patchify: channel after frame', '1, 3, 5, 7)', '3, 1, 5, 7)'),
        ('patchify: time last', '0, 2, 4, 6, 1', '0, 4, 6, 2, 1'),
        ('pixel target: sign', '(x - x.mean', '(x + x.mean'),
        ('pixel target: variance', 'x.std(-1', 'x.var(-1'),
        ('pixel target: epsilon subtracted', '+ eps)', '- eps)'),
        ('pixel target: no epsilon', ' + eps)', ')'),
        ('pixel target: all channels together', '(channels, -1))', '(1, -1))'),
    ],
    ('functional/positions.py', 'functional/test_positions.py'): [
        ('sinusoid: sign of the exponent', '-(channel - channel % 2)', '(channel - channel % 2)'),
        ('sinusoid: a rate for each channel', '-(channel - channel % 2)', '-channel'),
        ('sinusoid: sine and cosine swapped', 'angle.sin(), angle.cos())\n    return', 'angle.cos(), angle.sin())\n    return'),
        ('sine-cosine: sine and cosine swapped', '[angle.sin(), angle.cos()]', '[angle.cos(), angle.sin()]'),
        ('sine-cosine: row before column', '(column, space_dims), (row, space_dims)', '(row, space_dims), (column, space_dims)'),
        ('sine-cosine: rate', 'dtype=torch.float64) / half)', 'dtype=torch.float64) / width)'),
        ('sine-cosine: share of time', 'dims // 8 * 2', 'dims // 4 * 2'),
        ('resize: bilinear', "mode='bicubic'", "mode='bilinear'"),
        ('resize: time and space swapped', 'x.permute(2, 0, 1).flatten', 'x.permute(0, 2, 1).flatten'),
        ('resize: corners aligned in time', "mode='linear', align_corners=False", "mode='linear', align_corners=True"),
    ],
    ('functional/seeding.py', 'functional/test_seeding.py'): [
        ('seed: order does not matter', 'SeedSequence(numbers)', 'SeedSequence(sorted(numbers))'),
        ('seed: a sum', 'SeedSequence(numbers)', 'SeedSequence(sum(numbers))'),
        ('seed: 64 bits', '>> np.uint64(1)', '>> np.uint64(0)'),
    ],
    ('dare/table.py', 'dare/test_difficulty_table.py'): [
        ('table: stage for last', 'in (self._current, self._stage))', 'in (self._stage, self._current))'),
        ('table: all patches written', 'where=~np.isnan(rows)', 'where=True'),
        ('table: end of a stage copies back', 'self._bytes[half + start : half + stop] = self._bytes[start:stop]', 'self._bytes[start:stop] = self._bytes[half + start : half + stop]'),
        ('table: end of a stage, half of it', 'range(0, half, CHUNK_BYTES)', 'range(0, half // 2, CHUNK_BYTES)'),
        ('table: reset to one', 'array[:] = 0', 'array[:] = 1'),
        ('table: reset leaves the stage', 'range(0, self.nbytes, size)', 'range(0, self.nbytes // 2, size)'),
    ],
    ('dare/rows.py', 'dare/test_difficulty_table.py'): [
        ('copies of a video: sum', 'np.divide(total, count,', 'np.divide(total, 1,'),
        ('copies of a video: largest', 'np.add.reduceat(np.where', 'np.maximum.reduceat(np.where'),
        ('copies of a video: written if masked twice', 'where=count > 0', 'where=count > 1'),
    ],
    ('dare/precision.py', 'dare/test_precision.py'): [
        ('alpha: 0 allowed', '0 < alpha <= 1', '0 <= alpha <= 1'),
        ('alpha: 1 refused', '0 < alpha <= 1', '0 < alpha < 1'),
        ('alpha: 0.1 refused in half precision', 'alpha < MIN', 'alpha <= MIN'),
    ],
    ('hooks/dare_hook.py', 'hooks/test_dare_hook.py'): [
        ('uniform weights: in the second stage', 'self.stage_epochs) == 0', 'self.stage_epochs) == 1'),
        ('uniform weights: in every stage', 'first_stage and (', 'True and ('),
        ('uniform weights: never', 'first_stage and (', 'False and ('),
        ('uniform weights: in the first phase only', 'self.reset_per_phase or phase.index', 'phase.index'),
        ('uniform weights: in the wrong epochs', 'None if self.uniform', 'None if not self.uniform'),
        ('end of a stage: one epoch late', 'following = runner.epoch + 1', 'following = runner.epoch'),
        ('end of a stage: one epoch early', 'following = runner.epoch + 1', 'following = runner.epoch + 2'),
        ('end of a stage: counted from the first phase', '(following - phase.begin) %', 'following %'),
        ('end of a phase: kept', 'self.table.reset if self.reset_per_phase', 'self.table.reset if not self.reset_per_phase'),
    ],
    ('hooks/progressive_phase_hook.py', 'integration/test_curriculum.py'): [
        ('restart: one epoch early', 'runner.epoch == phase.end - 1', 'runner.epoch == phase.end - 2'),
        ('restart: at the first iteration', 'last = batch_idx == len(runner.train_dataloader) - 1', 'last = batch_idx == 0'),
        ('promotion: one epoch late', 'runner.iter == phase.begin * len(', 'runner.iter == (phase.begin + 1) * len('),
        ('promotion: wrong name', "self.phases_before + index}_student", "self.phases_before + index + 1}_student"),
    ],
    ('hooks/restart.py', 'hooks/test_restart.py'): [
        ('restart: moments kept', 'optim_wrapper.optimizer.state.clear()', 'pass'),
        ('restart: rate kept', "group.get('initial_lr', group['lr'])", "group['lr']"),
        ('schedulers: iterations as epochs', 'unit = 1 if scheduler.by_epoch else len(runner.train_dataloader)', 'unit = 1'),
    ],
    ('hooks/step_seed_hook.py', 'hooks/test_step_seed_hook.py'): [
        ('seed of an iteration: same in all ranks', 'runner.iter, get_rank())', 'runner.iter)'),
        ('seed of an iteration: same in all iterations', 'runner.epoch, runner.iter, get_rank())', 'runner.epoch, get_rank())'),
        ('seed of an iteration: not of the run', 'seed = derive_seed(runner.seed or 0,', 'seed = derive_seed(0,'),
        ('seed of the masks: that of drop path', 'derive_seed(seed, 1)', 'seed'),
    ],
    ('datasets/seed_augmentation.py', 'datasets/test_seed_augmentation.py'): [
        ('seed of a sample: same in all epochs', "derive_seed(seed, epoch, results", "derive_seed(seed, results"),
        ('seed of a sample: same for all', "epoch, results['sample_idx'])", 'epoch)'),
        ('seed of a sample: not of the run', 'derive_seed(seed, epoch,', 'derive_seed(0, epoch,'),
    ],
    ('models/maskers/base.py', 'models/maskers/test_maskers.py'): [
        ('mask: True is visible', 'order[..., :visible], False', 'order[..., visible:], False'),
        ('mask: one more', 'order[..., :visible]', 'order[..., : visible + 1]'),
        ('mask: highest ranks visible', 'ranks.argsort(dim=-1, stable=True)', 'ranks.argsort(dim=-1, descending=True)'),
        ('visible patches: of one group', 'return groups * visible_count', 'return visible_count'),
    ],
    ('models/maskers/tube.py', 'models/maskers/test_maskers.py'): [
        ('tube: a ranking for each time step', 'torch.rand(batch, 1, length', 'torch.rand(batch, groups, length'),
        ('tube: one mask for the batch', 'torch.rand(batch, 1, length, generator=generator, device=generator.device)', 'torch.rand(1, 1, length, generator=generator, device=generator.device).expand(batch, -1, -1)'),
    ],
    ('models/maskers/cube.py', 'models/maskers/test_maskers.py'): [
        ('cube: per time step', 'return 1, t * h * w', 'return t, h * w'),
    ],
    ('models/maskers/running_cell.py', 'models/maskers/test_maskers.py'): [
        ('running cell: stands still', 'place - time[:, None] + start', 'place + 0 * time[:, None] + start'),
        ('running cell: fewer turns', 'self.cell**2', 'self.cell'),
        ('running cell: no random start', 'time[:, None] + start)', 'time[:, None] + 0 * start)'),
        ('running cell: no random choice', 'return turn + tie', 'return turn + 0 * tie'),
    ],
    ('models/necks/clfa.py', 'models/necks/test_clfa.py'): [
        ('CLFA: shallow to deep', 'projected[: self.num_shallow], medium)', 'projected[: self.num_shallow], deep)'),
        ('CLFA: medium to medium', 'projected[self.num_shallow :], deep', 'projected[self.num_shallow :], medium'),
        ('CLFA: difference of the distances', 'medium) + alignment_distance', 'medium) - alignment_distance'),
        ('CLFA: one layer too many', 'self.num_shallow = len(shallow)', 'self.num_shallow = len(shallow) + 1'),
        ('CLFA: last layers of the student', 'self.student_layers = (*shallow, *medium)', 'self.student_layers = (*medium, *_)'),
        ('CLFA: shared projections', 'ModuleList(nn.Linear(student_dims, dims) for _ in self.student_layers)', 'ModuleList([nn.Linear(student_dims, dims)] * len(self.student_layers))'),
        ('CLFA: sum divides', '* medium.mean.shape[-1]', '/ medium.mean.shape[-1]'),
        ('CLFA: targets shallow and medium', '_, medium, deep = layer_groups(depth,', 'medium, deep, _ = layer_groups(depth,'),
        ('CLFA: other tokens', "visible_index if self.align_tokens == 'visible'", "visible_index if self.align_tokens != 'visible'"),
    ],
    ('models/necks/completion.py', 'models/necks/test_completion.py'): [
        ('completion: queries without position', 'self.query_token + gather_tokens(positions, masked_index)', 'self.query_token.expand(*masked_index.shape, -1)'),
        ('completion: keys without position', ' + gather_tokens(positions, visible_index)', ''),
    ],
    ('models/teachers/frozen.py', 'models/teachers/test_videomae.py'): [
        ('teacher: group one layer late', 'if index in group', 'if index - 1 in group'),
        ('teacher: group raw', 'statistics.add(normalize_target(layer, self.target_norm))', 'statistics.add(layer)'),
        ('teacher: target raw', 'features = normalize_target(features, self.target_norm)', 'features = features'),
        ('teacher: last norm reversed', 'if self.last_norm else tokens', 'if not self.last_norm else tokens'),
        ('teacher: other tokens', 'tokens if token_index is None else gather_tokens(tokens, token_index)', 'tokens if token_index is None else tokens[:, : token_index.shape[1]]'),
    ],
    ('models/teachers/timm_image.py', 'models/teachers/test_timm_image.py'): [
        ('image teacher: the other frame', ':: self.tubelet_size]', '1 :: self.tubelet_size]'),
        ('image teacher: scale', 'std / (255 * own_std)', '(255 * own_std) / std'),
        ('image teacher: sign of the shift', '(mean - 255 * own_mean)', '(mean + 255 * own_mean)'),
        ('image teacher: class token kept', 'self.network.num_prefix_tokens :]', 'self.network.num_prefix_tokens - 1 : -1]'),
    ],
    ('models/recognizers/views.py', 'models/recognizers/test_views.py'): [
        ('nested masks: place one late', 'mask.cumsum(1) - 1', 'mask.cumsum(1).clamp_max(masked.shape[1] - 1)'),
        ('nested masks: a mask of their own', 'aux_mask = masker.mask(ranks,', 'aux_mask = masker.mask(masker.rank(batch, generator),'),
    ],
    ('models/recognizers/terms.py', 'models/recognizers/test_terms.py'): [
        ('default: lambda_base', "loss_weight: float = 1.0\n    distance", "loss_weight: float = 2.0\n    distance"),
        ('default: lambda_pg', 'loss_weight: float = 0.05', 'loss_weight: float = 0.5'),
        ('default: lambda_df', "loss_weight: float = 1.0\n    alpha", "loss_weight: float = 0.1\n    alpha"),
        ('default: alpha', 'alpha: float = 0.95', 'alpha: float = 0.05'),
        ('default: tau', 'tau: float = 0.5', 'tau: float = 2.0'),
        ('tau: 0 allowed', 'above=0, tau', 'at_least=0, tau'),
        ('alpha: 0 allowed', 'above=0, at_most=1, alpha', 'at_least=0, at_most=1, alpha'),
        ('alpha: 1 refused', 'above=0, at_most=1, alpha', 'above=0, below=1, alpha'),
    ],
    ('models/recognizers/pmd.py', 'models/recognizers/test_pmd.py'): [
        ('total: no lambda_base', 'self.base.loss_weight * masked_mean', 'masked_mean'),
        ('total: no lambda_pg', 'self.psd.loss_weight\n', '1.0\n'),
        ('total: no lambda_df', 'self.dare.loss_weight * difficulty_loss', 'difficulty_loss'),
        ('total: no lambda_al', 'self.neck.loss_weight * value', 'value'),
        ('targets of the visible patches', 'view.masked(target.features)', 'target.features[:, : view.masked_index.shape[1]]'),
        ('smoothing: 1 - alpha', 'self.dare.alpha\n', '1 - self.dare.alpha\n'),
        ('smoothing: history of another teacher', 'last[:, k].gather', 'last[:, 0].gather'),
        ('smoothing: history of other patches', 'last[:, k].gather(1, view.masked_index)', 'last[:, k, : view.masked_index.shape[1]]'),
        ('weights: of another teacher', 'stage[:, k]', 'stage[:, 0]'),
        ('weights: of the last epoch, not stage', 'region_weights(stage[:, k]', 'region_weights(last[:, k]'),
        ('weights: softmax over the masked patches', 'region_weights(stage[:, k], self.dare.tau).gather(1, view.masked_index)', 'region_weights(stage[:, k].gather(1, view.masked_index), self.dare.tau)'),
        ('weights: uniform in all stages', 'if stage is None or not self.dare.weighting', 'if True'),
        ('weights: weighting=False ignored', 'if stage is None or not self.dare.weighting', 'if stage is None'),
        ('uniform weights: 1/B', 'uniform_weights(smoothed, smoothed.shape[1])', 'uniform_weights(smoothed, smoothed.shape[0])'),
        ('region loss: scale ignored', ', self.dare.difficulty_scale\n', '\n'),
        ('outbox: the loss, not the smoothed one', 'all_smoothed.append(smoothed)', 'all_smoothed.append(patch_loss)'),
        ('outbox: with its graph', 'smoothed.detach())', 'smoothed)'),
        ('PSD: distance of base', "taught[name], 'l2', reduction", "taught[name], 'smooth_l1', reduction"),
        ('PSD: auxiliary teacher sees the student\'s patches when nested', 'self.auxiliary_teacher(clips, view.aux_visible_index', 'self.auxiliary_teacher(clips, view.visible_index'),
    ],
    ('models/recognizers/masked_autoencoder.py', 'models/recognizers/test_masked_autoencoder.py'): [
        ('MAE: pixels of other patches', 'gather_tokens(target, masked)', 'target[:, : masked.shape[1]]'),
        ('MAE: raw pixels', 'if self.normalize_target:', 'if False:'),
        ('MAE: epsilon ignored', 'self.backbone.in_channels, self.normalize_eps)', 'self.backbone.in_channels)'),
    ],
    ('models/backbones/masked_vit.py', 'models/backbones/test_masked_vit.py'): [
        ('encoder: positions of other patches', 'positions = gather_tokens(positions, visible_index)', 'positions = positions[:, : visible_index.shape[1]]'),
        ('encoder: positions subtracted', 'kernel.bias) + positions', 'kernel.bias) - positions'),
        ('encoder: layer one late', 'if index in layers', 'if index - 1 in layers'),
        ('encoder: no last norm', 'EncoderOutput(self.norm(tokens)', 'EncoderOutput(tokens'),
    ],
    ('models/heads/feature_decoder.py', 'models/heads/test_feature_decoder.py'): [
        ('decoder: visible tokens without position', 'self.embed(tokens) + gather_tokens(positions, visible_index)', 'self.embed(tokens)'),
        ('decoder: no last norm', 'self.norm(x', '(x'),
    ],
    ('evaluation/knn.py', 'evaluation/test_knn.py'): [
        ('kNN: temperature multiplies', '/ temperature).exp()', '* temperature).exp()'),
        ('kNN: sign', '((similarity - similarity[:, :1])', '((similarity[:, :1] - similarity)'),
        ('kNN: dot product for cosine', 'bank = torch.nn.functional.normalize(bank.float(), dim=1)', 'bank = bank.float()'),
        ('kNN: farthest', '.topk(k, dim=1)', '.topk(k, dim=1, largest=False)'),
        ('kNN: one neighbour more', 'topk(k, dim=1)', 'topk(min(k + 1, len(bank)), dim=1)'),
    ],
    ('evaluation/linear_probe.py', 'evaluation/test_linear_probe.py'): [
        ('probe: sign of the folded mean', 'bias - weight @ mean', 'bias + weight @ mean'),
        ('probe: standardisation not folded', 'weight = weight / std', 'weight = weight * std'),
        ('probe: classes swapped', '[-weight, weight]', '[weight, -weight]'),
        ('first of each class: one more', 'rank < count', 'rank <= count'),
    ],
}  # fmt: skip

MUTATIONS = [
    Mutation(what, old, new, f'pmd_mmaction/{path}', f'tests/{tests}')
    for (path, tests), rows in TABLE.items()
    for what, old, new in rows
]
