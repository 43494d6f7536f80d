"""One wrong letter where models, hooks and metrics use the equations.

(file of the package, test file) -> rows (what, text as it is, text with the fault).
"""

COMPONENTS = {
    ('hooks/nonfinite/finite_guard.py', 'hooks/nonfinite/test_finite_guard.py'): [
        ('gradients: measured after clipping by value', '            norm = _gradient_norm(parameters)\n            self._clip_func(parameters, **kwargs)', '            self._clip_func(parameters, **kwargs)\n            norm = _gradient_norm(parameters)'),
        ('gradients: the verdict of the step before', 'self._found, None, False', 'self._found, self._found, self._clipped'),
        ('gradients: an infinite norm is logged', 'norm if by_norm and math.isfinite(norm) else None', 'norm if by_norm else None'),
        ('gradients: their largest', 'get_total_norm(gradients)', "get_total_norm(gradients, float('inf'))"),
        ('guard: keeps clipping', 'self.optim_wrapper.clip_func = self._clip_func', 'pass'),
    ],
    ('hooks/nonfinite/finite_guard.py', 'hooks/nonfinite/test_finite_guard_amp.py'): [
        ('scale: judged with it', 'if scale is None:', 'if True:'),
        ('scale: taken off twice', 'optimizer.grad_scale = None', 'pass'),
        ('scale: every skip lowers it', '(now < before) & (now >= 1)', 'now >= 1'),
        ('scale: lowered without end', '(now < before) & (now >= 1)', 'now < before'),
        ('scale: the one after the step', 'before, self._scale = self._scale, self._dynamic_scale()', 'before = self._scale = self._dynamic_scale()'),
        ('float16: the norm overflows', 'torch.linalg.vector_norm(x, dtype=torch.float32)', 'torch.linalg.vector_norm(x)'),
    ],
    ('optim/merged_groups.py', 'optim/test_constructors.py'): [
        ('groups: all in one', 'if settings not in settings_of:', 'if not settings_of:'),
        ('groups: the rate of the config', '{**defaults, **{k: v for k, v in group.items() if k not in _NO_SETTINGS}}', '{**{k: v for k, v in group.items() if k not in _NO_SETTINGS}, **defaults}'),
    ],
    ('optim/resuming.py', 'optim/test_resuming.py'): [
        ('resuming: in the order of the checkpoint', 'return {i: by_name[name] for i, name in zip(numbers, names)}', 'return dict(zip(numbers, self.order))'),
        ('resuming: base values of the first groups', '[values[i] for i in firsts] + base', 'values[: len(firsts)] + base'),
        ('resuming: without the base rate', '[values[i] for i in firsts] + base', '[values[i] for i in firsts]'),
    ],
    ('optim/constructors.py', 'optim/test_constructors.py'): [
        ('fused: on the CPU, too', 'p.is_cuda and p.is_floating_point()', 'p.is_floating_point()'),
        ('fused: whatever was said', 'kind not in _FUSED or any(', 'kind not in _FUSED and any('),
    ],
    ('hooks/log_history_hook.py', 'hooks/test_log_history_hook.py'): [
        ('history: unbounded', 'history.max_length = self._kept', 'pass'),
        ('history: a global window is forgotten', "whole = 'global' in windows", "whole = windows.count('global') > 1"),
        ('history: validation is forgotten', '(runner.train_loop, runner.val_loop)', '(runner.train_loop,)'),
    ],
    ('hooks/difficulty/dare_hook.py', 'integration/test_canonical_region.py'): [
        ('boxes of masks: of other clips', 'boxes.repeat_interleave(len(rows) // len(boxes), 0)', 'boxes.repeat(len(rows) // len(boxes), 1)'),
        ('rows of the frame: rest of another stage', 'self._share.table.read(sample_idx)[0]', 'self._share.table.read(sample_idx)[1]'),
        ('resume: any region', 'if kept != self.region', 'if False'),
    ],
    ('models/recognizers/curriculum.py', 'integration/test_canonical_region.py'): [
        ('history: rows of the frame', 'if self._difficulty.by_place', 'if False'),
    ],
    ('transforms/note_crop_box.py', 'transforms/test_note_crop_box.py'): [
        ('box: width for the right edge', 'x + width, y + height', 'width, height'),
        ('flip: ignored', "if results.get('flip')", 'if False'),
        ('flip: always sideways', 'if sideways', 'if True'),
        ('flip before a crop: accepted', "order == ['flip', 'crop_quadruple']", 'False'),
    ],
    ('hooks/difficulty/dare_hook.py', 'integration/test_difficulty.py'): [
        ('uniform weights: in the second stage', 'self.stage_epochs) == 0', 'self.stage_epochs) == 1'),
        ('uniform weights: in every stage', 'first_stage and (', 'True and ('),
        ('uniform weights: never', 'first_stage and (', 'False and ('),
        ('uniform weights: in the first phase only', 'self.reset_per_phase or phase.index', 'phase.index'),
        ('uniform weights: in the wrong epochs', 'None if self.uniform', 'None if not self.uniform'),
        ('end of a stage: one epoch late', 'following = runner.epoch + 1', 'following = runner.epoch'),
        ('end of a stage: one epoch early', 'following = runner.epoch + 1', 'following = runner.epoch + 2'),
        ('end of a stage: counted from the first phase', '(following - phase.begin) %', 'following %'),
        ('end of a phase: kept', 'phase.begin and self.reset_per_phase', 'phase.begin and not self.reset_per_phase'),
        ('end of a phase: not even a stage', 'elif (following', 'elif following > phase.begin and (following'),
        ('end of the run: turned over', 'following >= self._schedule', 'following > self._schedule'),
    ],
    ('hooks/curriculum/progressive_phase_hook.py', 'integration/test_curriculum.py'): [
        ('restart: one epoch early', 'runner.epoch == phase.end - 1', 'runner.epoch == phase.end - 2'),
        ('restart: at the first iteration', 'last = self.end_of_epoch(runner.train_dataloader, batch_idx)', 'last = batch_idx == 0'),
        ('promotion: one epoch late', 'runner.iter == phase.begin * len(', 'runner.iter == (phase.begin + 1) * len('),
        ('promotion: wrong name', "self.phases_before + index}_student", "self.phases_before + index + 1}_student"),
    ],
    ('hooks/curriculum/progressive_phase_hook.py', 'hooks/curriculum/test_progressive_phase_hook.py'): [
        ('promotion: in every epoch', 'phase.index > 0 and runner.iter == phase.begin * len(runner.train_dataloader)', 'phase.index > 0'),
        ('promotion: in the first phase too', 'if phase.index > 0 and runner.iter ==', 'if runner.iter =='),
        ('phase file: of the phase that begins', 'self.phases.phases[phase.index - 1])', 'self.phases.phases[phase.index])'),
        ('ratio of the phase before: of this one', 'self.phases.phases[phase.index - 1].mask_ratio', 'self.phases.phases[phase.index].mask_ratio'),
        ('number of a phase: from 0', 'self.phases_before + phase.index + 1', 'self.phases_before + phase.index'),
        ('end of the run: one epoch early', 'runner.epoch < self.phases.total_epochs', 'runner.epoch < self.phases.total_epochs + 1'),
        ('end of the run: the first student', 'last = self.phases.phases[-1]', 'last = self.phases.phases[0]'),
    ],
    ('hooks/curriculum/optimizer_restart.py', 'hooks/curriculum/test_optimizer_restart.py'): [
        ('restart: moments kept', 'optim_wrapper.optimizer.state.clear()', 'pass'),
        ('restart: rate kept', "group.get('initial_lr', group['lr'])", "group['lr']"),
        ('schedulers: iterations as epochs', 'unit = 1 if scheduler.by_epoch else len(runner.train_dataloader)', 'unit = 1'),
        ('schedulers: none may begin at a boundary', 'if begin < epoch < end', 'if begin <= epoch < end'),
        ('schedulers: none may end at a boundary', 'if begin < epoch < end', 'if begin < epoch <= end'),
        ('schedulers: may end early', 'or end < total', 'or end < total - 1'),
    ],
    ('hooks/checkpoints/batch_change.py', 'hooks/checkpoints/test_batch_change.py'): [
        ('other batch: iterations of the old epochs', "// old['epoch_length'] * new[", "// old['epoch_length'] * old["),
        ('other batch: inverse ratio', "new['total_batch'] / old['total_batch']", "old['total_batch'] / new['total_batch']"),
        ('other batch: steps the wrong way', "state['_global_step'] * new_length // old_length", "state['_global_step'] * old_length // new_length"),
        ('other batch: last step one late', 'max(min(done, end - 1) - begin, -1)', 'max(min(done, end) - begin, -1)'),
        ('other batch: last step before the first', 'max(min(done, end - 1) - begin, -1)', 'max(min(done, end - 1) - begin, 0)'),
        ('other batch: last step from the start of the run', 'max(min(done, end - 1) - begin, -1)', 'max(min(done, end - 1), -1)'),
        ('other batch: schedulers kept', "state['end'] * new_length != fresh['end'] * old_length", "state['end'] != fresh['end']"),
        ('other batch: rates added', 'value * ratio for', 'value + ratio for'),
    ],
    ('runner/resumable_train_loop.py', 'runner/test_resumable_train_loop.py'): [
        ('inside an epoch: one sample late', 'self.skipped, self.end)', 'self.skipped + 1, self.end)'),
        ('inside an epoch: batches as samples', 'count * size', 'count'),
    ],
    ('hooks/step_seed_hook.py', 'hooks/test_step_seed_hook.py'): [
        ('seed of an iteration: same in all ranks', 'runner.iter, get_rank())', 'runner.iter)'),
        ('seed of an iteration: same in all iterations', 'runner.epoch, runner.iter, get_rank())', 'runner.epoch, get_rank())'),
        ('seed of an iteration: not of the run', 'seed = derive_seed(runner.seed or 0,', 'seed = derive_seed(0,'),
        ('seed of the masks: that of drop path', 'derive_seed(seed, 1)', 'seed'),
    ],
    ('transforms/seed_augmentation.py', 'transforms/test_seed_augmentation.py'): [
        ('seed of a sample: same in all epochs', "derive_seed(seed, epoch, results", "derive_seed(seed, results"),
        ('seed of a sample: same for all', "epoch, results['sample_idx'])", 'epoch)'),
        ('seed of a sample: not of the run', 'derive_seed(seed, epoch,', 'derive_seed(0, epoch,'),
    ],
    ('runner/resumable_train_loop.py', 'datasets/test_whole_steps.py'): [
        ('inside an epoch: to the last sample', 'self.skipped, self.end)', 'self.skipped, None)'),
    ],
    ('transforms/antialiased_resize.py', 'transforms/test_antialiased_resize.py'): [
        ('anti-aliasing: none', 'antialias=True', 'antialias=False'),
        ('anti-aliasing: width for height', '(height, width), mode', '(width, height), mode'),
        ('anti-aliasing: width for height in the size', "results['imgs'], results['img_shape'] = frames, (height, width)", "results['imgs'], results['img_shape'] = frames, (width, height)"),
    ],
    ('datasets/whole_steps.py', 'datasets/test_whole_steps.py'): [
        ('whole steps: all batches', 'islice(super().__iter__(), len(self))', 'super().__iter__()'),
        ('whole steps: one more', '// self.accumulative_counts *', '// self.accumulative_counts + 1 *'),
    ],
    ('datasets/bad_videos.py', 'datasets/test_bad_videos.py'): [
        ('substitute: same in all epochs', 'derive_seed(seed, epoch, idx, attempt)', 'derive_seed(seed, idx, attempt)'),
        ('substitute: same for all videos', 'derive_seed(seed, epoch, idx, attempt)', 'derive_seed(seed, epoch, attempt)'),
        ('substitute: same in all attempts', 'derive_seed(seed, epoch, idx, attempt)', 'derive_seed(seed, epoch, idx)'),
        ('substitute: not of the run', 'derive_seed(seed, epoch, idx, attempt)', 'derive_seed(0, epoch, idx, attempt)'),
        ('substitutes: one less', 'if attempt == substitutes', 'if attempt == substitutes - 1'),
    ],
    ('models/maskers/base.py', 'models/maskers/test_maskers.py'): [
        ('mask: True is visible', 'order[..., :visible], False', 'order[..., visible:], False'),
        ('mask: one more', 'order[..., :visible]', 'order[..., : visible + 1]'),
        ('mask: highest ranks visible', 'argsort(dim=-1, stable=True)', 'argsort(dim=-1, descending=True)'),
        ('several masks: the same one', 'order.roll(-k * visible, -1)', 'order.roll(-k, -1)'),
        ('visible patches: of one group', 'return self.group_shape[0] * self', 'return self'),
    ],
    ('models/maskers/tube.py', 'models/maskers/test_maskers.py'): [
        ('tube: a ranking for each time step', 'torch.rand(batch, 1, length', 'torch.rand(batch, groups, length'),
        ('tube: one mask for the batch', 'torch.rand(batch, 1, length, generator=generator, device=generator.device)', 'torch.rand(1, 1, length, generator=generator, device=generator.device).expand(batch, -1, -1)'),
    ],
    ('models/maskers/cube.py', 'models/maskers/test_maskers.py'): [
        ('cube: per time step', 'return 1, t * h * w', 'return t, h * w'),
    ],
    ('models/maskers/running_cell.py', 'models/maskers/test_maskers.py'): [
        ('running cell: always on', '-time if self.backward else time', 'time'),
        ('running cell: stands still', 'place - time[:, None] + start', 'place + 0 * time[:, None] + start'),
        ('running cell: fewer turns', 'self.cell**2', 'self.cell'),
        ('running cell: no random start', 'time[:, None] + start)', 'time[:, None] + 0 * start)'),
        ('running cell: no random choice', 'return turn + tie', 'return turn + 0 * tie'),
    ],
    ('models/terms/clfa.py', 'models/terms/test_clfa.py'): [
        ('CLFA: shallow to deep', '(medium, deep, deep)', '(deep, deep, deep)'),
        ('CLFA: medium to medium', '(medium, deep, deep)', '(medium, medium, deep)'),
        ('CLFA: deep to medium', '(medium, deep, deep)', '(medium, deep, medium)'),
        ('CLFA: two layers for all', '[projected[layer] for layer in group]', '[projected[layer] for layer in self.student_groups[0]]'),
        ('CLFA: one pair alone', 'self.student_groups = (shallow, medium, deep) if', 'self.student_groups = (shallow,) if'),
        ('CLFA: deepest always', 'if align_deepest else (shallow, medium)', 'if True else (shallow, medium)'),
        ('CLFA: sum divides', '* medium.mean.shape[-1]', '/ medium.mean.shape[-1]'),
        ('CLFA: targets shallow and medium', '_, medium, deep = layer_groups(depth,', 'medium, deep, _ = layer_groups(depth,'),
        ('CLFA: other tokens', "student.visible if self.align_tokens == 'visible'", "student.visible if self.align_tokens != 'visible'"),
    ],
    ('models/terms/masked_token_completion.py', 'models/terms/test_masked_token_completion.py'): [
        ('completion: queries without position', 'self.query_token + gather_tokens(positions, masked_index)', 'self.query_token.expand(*masked_index.shape, -1)'),
        ('completion: keys without position', ' + gather_tokens(positions, visible_index)', ''),
        ('completion: raw tokens', 'keys = self.norm(tokens) +', 'keys = tokens +'),
    ],
    ('models/maskers/object_tube.py', 'models/maskers/test_object_tube.py'): [
        ('object masker: the ratio of all patches', 'return self.token_grid[1] * self.token_grid[2]', 'return self.group_shape[1]'),
        ('object masker: further masks are no tubes', 'others = (tube / places).repeat(1, t)', 'others = noise'),
        ('object masker: tubes of another ratio', 'tube >= visible_count(places, self.tube_ratio)', 'tube >= visible_count(places, self.tube_ratio / 2)'),
        ('object masker: whole tubes are exchanged', '(masked.repeat(1, t) + noise) / 2', '(masked.repeat(1, t) + tube.repeat(1, t) / places) / 2'),
    ],
    ('transforms/motion/pasting.py', 'transforms/motion/test_motion_golden.py'): [
        ('pasting: anticlockwise', '-int(angle)', 'int(angle)'),
        ('pasting: whole angles no more', '-int(angle)', '-angle'),
        ('pasting: grown to the right', '(right - left - width) // 2', '(right - left - width + 1) // 2 * 0'),
        ('pasting: smaller ones behind', 'np.argsort(-sides', 'np.argsort(sides'),
        ('pasting: resized once', 'rotate_object(resize_object(source, *side), angle)', 'rotate_object(resize_object(pictures[k], *side), angle)'),
    ],
    ('transforms/motion/trajectories.py', 'transforms/motion/test_motion_golden.py'): [
        ('paths: ends repeated', "mode='reflect'", "mode='nearest'"),
        ('paths: rougher', 'sigma=frames / 2', 'sigma=frames / 3'),
        ('paths: points cut off', 'np.round(np.linspace(0, smoothed.shape[1] - 1, frames))', 'np.linspace(0, smoothed.shape[1] - 1, frames)'),
        ('paths: one axis', 'smoothed.min(1, keepdims=True), smoothed.max(1, keepdims=True)', 'smoothed.min(keepdims=True), smoothed.max(keepdims=True)'),
    ],
    ('models/terms/unit_alignment.py', 'models/recognizers/test_dmae_golden.py'): [
        ('unit alignment: squared', '.abs().mean()', '.square().mean()'),
        ('unit alignment: student of any length', 'F.normalize(self.projections[name](step.layers[layer]).float(), dim=-1)', 'self.projections[name](step.layers[layer])'),
        ('unit alignment: teacher of any length', 'F.normalize(group.mean.float(), dim=-1)', 'group.mean'),
        ('unit alignment: the next layer', '3 * depth // 4 - 1', '3 * depth // 4'),
    ],
    ('models/teachers/pixel.py', 'models/recognizers/test_dmae_golden.py'): [
        ('pixels: always in [0, 1]', "if self.scale == 'unit':", 'if True:'),
    ],
    ('models/maskers/view_drawing.py', 'models/maskers/test_several_masks.py'): [
        ('several masks: always of one ranking', "if self.mask_choice == 'permuted':", 'if False:'),
    ],
    ('models/teachers/frozen.py', 'models/teachers/test_videomae.py'): [
        ('teacher: group one layer late', 'if index in layers', 'if index - 1 in layers'),
        ('teacher: group raw', 'return normalize_target(gather_tokens(tokens, index), self.target_norm)', 'return gather_tokens(tokens, index)'),
        ('teacher: target raw', 'features = normalize_target(features, self.target_norm)', 'features = features'),
        ('teacher: last norm reversed', 'if self.last_norm else tokens', 'if not self.last_norm else tokens'),
        ('teacher: other tokens', 'normalize_target(gather_tokens(tokens, index), ', 'normalize_target(tokens[:, : index.shape[1]], '),
    ],
    ('models/teachers/timm_image.py', 'models/teachers/test_timm_image.py'): [
        ('image teacher: the other frame', ':: self.tubelet_size]', '1 :: self.tubelet_size]'),
        ('image teacher: scale', 'std / (255 * own_std)', '(255 * own_std) / std'),
        ('image teacher: sign of the shift', '(mean - 255 * own_mean)', '(mean + 255 * own_mean)'),
        ('image teacher: stops one layer late', 'range(self.depth) if layers is None else layers', 'range(self.depth)'),
        ('image teacher: positions of the file', "if position == 'sincos_2d':", "if position == 'own' and False:"),
        ('image teacher: a position for the class token', '(0, 0, prefix, 0)', '(0, 0, 0, prefix)'),
    ],
    ('models/teachers/auxiliary.py', 'models/recognizers/test_progressive.py'): [
        ('auxiliary teacher: the student itself', 'copy.deepcopy(nn.ModuleDict(dict(backbone=backbone, decoders=decoders)))', 'nn.ModuleDict(dict(backbone=backbone, decoders=decoders))'),
    ],
    ('models/maskers/view.py', 'models/maskers/test_view.py'): [
        ('places: of the patch itself', 'table.gather(1, index)', 'index'),
        ('counted: the visible ones', 'return ~is_among', 'return is_among'),
        ('among: the place before', 'place.clamp_max(patches.shape[1] - 1)', '(place - 1).clamp_min(0)'),
    ],
    ('models/maskers/view_drawing.py', 'models/recognizers/test_distillation.py'): [
        ('decoded part: masked patches only', 'if self.whole_clip', 'if False'),
        ('decoded part: those that are left out', 'self.decode_ratio).visible)', 'self.decode_ratio).masked)'),
        ('decoded part: the last ranks', '[:, :kept].sort', '[:, -kept:].flip(1)[:, : kept - 1].sort'),
        ('wider view: ratio of the student', 'self.masker.view(order, ratio)', 'self.masker.view(order, mask_ratio)'),
        ('several masks: one', 'self.masker.disjoint_orders(order, self.num_masks, mask_ratio)', 'order'),
    ],
    ('models/maskers/view_drawing.py', 'models/recognizers/test_psd.py'): [
        ('nested masks: ratio of the student', 'self.masker.view(order, auxiliary_ratio)', 'self.masker.view(order, mask_ratio)'),
        ('nested masks: none', 'if auxiliary_ratio is not None', 'if False'),
    ],
    ('models/terms/psd.py', 'models/terms/test_terms.py'): [
        ('default: lambda_pg', 'loss_weight: LossWeight = 0.05', 'loss_weight: LossWeight = 0.5'),
    ],
    ('models/terms/term.py', 'models/terms/test_terms.py'): [
        ('default: lambdas', 'loss_weight: LossWeight = 1.0', 'loss_weight: LossWeight = 0.1'),
    ],
    ('models/terms/term.py', 'models/recognizers/test_pmd.py'): [
        ('lambda: of any teacher', 'self.loss_weight[teacher]', 'next(iter(self.loss_weight.values()))'),
    ],
    ('models/terms/dare.py', 'models/terms/test_terms.py'): [
        ('default: alpha', 'at_most=1)] = 0.95', 'at_most=1)] = 0.05'),
        ('default: tau', 'tau: Positive = 0.5', 'tau: Positive = 2.0'),
        ('tau: 0 allowed', 'tau: Positive', 'tau: float'),
        ('alpha: 0 allowed', 'above=0, at_most=1', 'at_least=0, at_most=1'),
        ('alpha: 1 refused', 'above=0, at_most=1', 'above=0, below=1'),
    ],
    ('models/recognizers/part_building.py', 'models/recognizers/test_part_building.py'): [
        ('lambda: a teacher may be left out', 'require_keys(term, names, names, loss', 'require_keys(term, names, (), loss'),
    ],
    ('models/terms/projections.py', 'models/terms/test_clfa.py'): [
        ('CLFA: shared projections', 'ModuleList(nn.Linear(student_dims, dims, bias=bias) for _ in range(count))', 'ModuleList([nn.Linear(student_dims, dims, bias=bias)] * count)'),
    ],
    ('models/terms/layer_pairs.py', 'models/terms/test_layer_pairs.py'): [
        ('pairs: one projection', 'self.projections[name][index]', 'self.projections[name][0]'),
        ('pairs: one generator', 'self.generators[name][index]', 'self.generators[name][0]'),
        ('pairs: direct at the other patches', 'gather_tokens(taught, known)', 'gather_tokens(taught, known.flip(1))'),
        ('pairs: generation at the student\'s patches', 'gather_tokens(taught, beyond)', 'gather_tokens(taught, known[:, : beyond.shape[1]])'),
        ('pairs: places for patches', 'else seen.gather(1, beyond)', 'else beyond'),
        ('pairs: sum of the pairs', 'torch.stack(errors).mean()', 'torch.stack(errors).sum()'),
        ('pairs: the first pair diagnosed', '[1][-1] for name', '[1][0] for name'),
        ('pairs: no lambda', 'weight = self.weight(name)', 'weight = 1.0'),
        ('pairs: no weight of the generation', 'weight * self.generation_weight', 'weight'),
    ],
    ('models/terms/layer_pairs.py', 'models/recognizers/test_amd_golden.py'): [
        ('pairs: a bias', 'bias=False', 'bias=True'),
        ('pairs: teacher\'s layer beside', 'range(layer, layer + 1)', 'range(layer - 1, layer)'),
    ],
    ('models/heads/feature_generator.py', 'models/heads/test_feature_generator.py'): [
        ('generator: mask token trained', 'if not train_mask_token', 'if False'),
        ('generator: with its last norm', 'self.embed, self.norm, self.head = nn.Identity(), nn.Identity(), nn.Identity()', 'self.embed, self.head = nn.Identity(), nn.Identity()'),
    ],
    ('hooks/curriculum/phase_schedulers.py', 'hooks/curriculum/test_phase_schedulers.py'): [
        ('schedule: the cosine ends with the phase', 'T_max=end - top + extra_epochs', 'T_max=end - top'),
    ],
    ('hooks/checkpoints/schedule_change.py', 'hooks/checkpoints/test_schedule_change.py'): [
        ('change: what begins here is to come', '_until(new)) > 0', '_until(new)) >= 0'),
        ('change: nothing may change here', "(begins and set(changed) <= {*LATER, 'begin'})", 'False'),
        ('change: the old count of steps', "(*changed, '_global_step')", 'changed'),
        ('change: added ones that have begun', '_until(item) <= 0', '_until(item) < -99'),
        ('change: those that are over', 'if same_kind and (not changed or over):', 'if same_kind and not changed:'),
    ],
    ('models/terms/base.py', 'models/recognizers/test_pmd.py'): [
        ('total: no lambda_base', 'self.weight(name)\n            * masked_mean', 'masked_mean'),
    ],
    ('models/terms/clfa.py', 'models/recognizers/test_pmd.py'): [
        ('total: no lambda_al', 'self.weight(name) * self.distance', 'self.distance'),
    ],
    ('models/terms/step.py', 'models/recognizers/test_pmd.py'): [
        ('targets of the visible patches', 'self.student.at_masked(self.targets[teacher])', 'self.targets[teacher][:, : self.student.masked.shape[1]]'),
    ],
    ('models/terms/dare.py', 'models/recognizers/test_pmd.py'): [
        ('total: no lambda_df', 'self.weight(name) * loss', 'loss'),
    ],
    ('models/terms/dare.py', 'models/recognizers/test_dare.py'): [
        ('smoothing: 1 - alpha', 'last, self.alpha)', 'last, 1 - self.alpha)'),
        ('smoothing: history of another teacher', 'step.history.last[:, k]', 'step.history.last[:, 0]'),
        ('smoothing: history of other patches', 'gather_values(step.history.last[:, k], masked)', 'step.history.last[:, k, : masked.shape[1]]'),
        ('weights: of another teacher', 'stage[:, k]', 'stage[:, 0]'),
        ('weights: of the last epoch, not stage', 'masked_weights(stage[:, k]', 'masked_weights(step.history.last[:, k]'),
        ('weights: scale ignored', 'self.tau, self.difficulty_scale)', 'self.tau)'),
        ('weights: uniform in all stages', 'if stage is None or not self.weighting', 'if True'),
        ('weights: weighting=False ignored', 'if stage is None or not self.weighting', 'if stage is None'),
        ('uniform weights: 1/B', 'uniform_weights(like, like.shape[1])', 'uniform_weights(like, like.shape[0])'),
        ('region loss: scale ignored', 'smoothed[k], self.difficulty_scale)', 'smoothed[k])'),
        ('outbox: the loss, not the smoothed one', 'smoothed.append(smooth_difficulty(loss, last, self.alpha))', 'smoothed.append(loss)'),
    ],
    ('models/recognizers/distillation.py', 'models/recognizers/test_dare.py'): [
        ('outbox: with its graph', 'smoothed.detach())', 'smoothed)'),
    ],
    ('models/recognizers/distillation.py', 'models/recognizers/test_distillation.py'): [
        ('teachers: all are run', 'for name in self.used_teachers', 'for name in self.teachers'),
        ('teachers: to the last layer', 'last=last', 'last=True'),
        ('teachers: patches as they are numbered in the clip', 'return positions_within(index, seen, self.backbone.num_patches)', 'return index % seen.shape[1]'),
        ('masks of a clip: videos in turn', 'for index in sample_idx for _ in range(self.num_masks)', 'for _ in range(self.num_masks) for index in sample_idx'),
    ],
    ('models/terms/psd.py', 'models/recognizers/test_pmd.py'): [
        ('total: no lambda_pg', 'self.weight(name) * loss', 'loss'),
    ],
    ('models/terms/psd.py', 'models/recognizers/test_psd.py'): [
        ('PSD: distance of base', "taught, 'l2', self", "taught, 'smooth_l1', self"),
        ('nested masks: decoded patches of other places', 'gather_tokens(decoded, self._places(step))', 'decoded[:, : taught.shape[1]]'),
    ],
    ('models/recognizers/distillation.py', 'models/recognizers/test_psd.py'): [
        ('PSD: auxiliary teacher sees the student\'s patches when nested', "*views['auxiliary'])", "*views['student'])"),
    ],
    ('models/recognizers/curriculum.py', 'models/recognizers/test_psd.py'): [
        ('nested: the ratio of this phase', 'own = self.previous_ratio if', 'own = self.phase.mask_ratio if'),
    ],
    ('models/recognizers/curriculum.py', 'models/recognizers/test_progressive.py'): [
        ('promotion: the present student, not that of the file', 'teacher.network.load_state_dict(state_dict)', 'pass'),
    ],
    ('models/recognizers/curriculum.py', 'models/recognizers/test_dare.py'): [
        ('clips of a video: rows of other videos', 'for sample in data_samples for _ in range(clips_per_video)', 'for _ in range(clips_per_video) for sample in data_samples'),
        ('difficulty table: for one teacher', 'len(self.difficulty_teachers)', '1'),
    ],
    ('models/recognizers/masked.py', 'models/recognizers/test_masked.py'): [
        ('feature: sum over the tokens', 'tokens.mean(1).unflatten', 'tokens.sum(1).unflatten'),
        ('feature: first clip only', 'inputs.shape[:2]).mean(1)', 'inputs.shape[:2])[:, 0]'),
    ],
    ('models/teachers/pixel.py', 'models/recognizers/test_masked_autoencoder.py'): [
        ('MAE: pixels up to 255', ' + self.mean) / 255', ' + self.mean)'),
        ('MAE: mean not undone', ' + self.mean)', ')'),
        ('MAE: deviation not undone', ' * self.std', ''),
        ('MAE: raw pixels', 'if self.normalize:', 'if False:'),
        ('MAE: epsilon ignored', 'self.clip_size[0], self.normalize_eps)', 'self.clip_size[0])'),
    ],
    ('models/initialization.py', 'models/test_initialization.py'): [
        ('mask token: cut at two', ', a=-TOKEN_STD, b=TOKEN_STD', ''),
        ('linear layers: normal', "distribution='uniform'", "distribution='normal'"),
    ],
    ('models/backbones/masked_vit.py', 'models/backbones/test_masked_vit.py'): [
        ('encoder: positions of other patches', 'positions = gather_tokens(positions.expand(len(visible_index), -1, -1), visible_index)', 'positions = positions[:, : visible_index.shape[1]]'),
        ('encoder: positions subtracted', 'project(patches) + positions', 'project(patches) - positions'),
        ('encoder: layer one late', 'if index in layers', 'if index - 1 in layers'),
        ('encoder: no last norm', 'EncoderOutput(self.norm(tokens)', 'EncoderOutput(tokens'),
    ],
    ('models/backbones/blocks.py', 'models/backbones/test_masked_vit.py'): [
        ('embedding: no bias', 'kernel.weight.flatten(1), kernel.bias)', 'kernel.weight.flatten(1))'),
        ('embedding: rest at the end kept', 'x = x[:, :, : t * tubelet, : h * patch, : w * patch]', 'x = x[:, :, -t * tubelet :, -h * patch :, -w * patch :]'),
    ],
    ('models/backbones/blocks.py', 'models/backbones/test_blocks.py'): [
        ('attention: scale', 'scale=self.scale', 'scale=1 / self.scale'),
        ('attention: queries and keys swapped', 'q[:, :, first:], k, v', 'k[:, :, first:], q, v'),
        ('attention: queries without their bias', 'torch.cat((self.q_bias,', 'torch.cat((0 * self.q_bias,'),
        ('block: no residual', 'x = x[:, first:] + self', 'x = self'),
        ('block: residual of other tokens', 'x = x[:, first:] + self', 'x = x[:, : x.shape[1] - first] + self'),
    ],
    ('models/heads/feature_decoder.py', 'models/heads/test_feature_decoder.py'): [
        ('decoder: visible tokens without position', 'self.embed(tokens) + gather_tokens(positions, visible_index)', 'self.embed(tokens)'),
        ('decoder: drop path in all layers', 'np.linspace(0, drop_path_rate, depth)', 'np.linspace(drop_path_rate, drop_path_rate, depth)'),
        ('decoder: no bias', 'embed_dims, bias=embed_bias)', 'embed_dims, bias=False)'),
        ('decoder: no last norm', 'self.norm(x', '(x'),
        ('decoder: mask tokens without position', 'self.mask_token + gather_tokens(positions, masked_index)', 'self.mask_token.expand(*masked_index.shape, -1)'),
        ('decoder: keys of other patches', 'F.embedding(masked_index, table)', 'F.embedding(masked_index.flip(1), table)'),
    ],
    ('evaluation/knn.py', 'evaluation/test_knn.py'): [
        ('kNN: temperature multiplies', '/ temperature).exp()', '* temperature).exp()'),
        ('kNN: sign', '((similarity - similarity[:, :1])', '((similarity[:, :1] - similarity)'),
        ('kNN: dot product for cosine', 'bank = torch.nn.functional.normalize(bank.float(), dim=1)', 'bank = bank.float()'),
        ('kNN: farthest', '.topk(k, dim=1)', '.topk(k, dim=1, largest=False)'),
        ('kNN: one neighbour more', 'topk(k, dim=1)', 'topk(min(k + 1, len(bank)), dim=1)'),
    ],
    ('evaluation/frozen_feature_metric.py', 'evaluation/test_knn.py'): [
        ('top-k: one more', 'hits[:, :k]', 'hits[:, : k + 1]'),
        ('top-k: the worst', 'descending=True, stable', 'descending=False, stable'),
        ('top-k: of k classes', 'scores.shape[1] > 5', 'scores.shape[1] >= 5'),
    ],
    ('evaluation/features.py', 'evaluation/test_features.py'): [
        ('feature of a layer: one late', '(layer - 1,)', '(layer,)'),
        ('feature: first clip only', 'tokens.mean((1, 2))', 'tokens[:, 0].mean(1)'),
    ],
    ('evaluation/linear_probe.py', 'evaluation/test_linear_probe.py'): [
        ('probe: sign of the folded mean', 'bias - weight @ mean', 'bias + weight @ mean'),
        ('probe: standardisation not folded', 'weight = weight / std', 'weight = weight * std'),
        ('probe: classes swapped', '[-weight, weight]', '[weight, -weight]'),
        ('first of each class: one more', 'seen[label] <= count', 'seen[label] <= count + 1'),
    ],
}  # fmt: skip
