"""Forms in which a video may be stored: codecs, containers, groups, times, turns and streams.

``write(folder, name)`` makes one, ``number`` reads a frame of it, and ``FORMS[name]`` says which
numbers have to come out in which order, and how large. Files in ``tests/data/videos`` are of
encoders that PyAV lacks or that a test should not call.
"""

from __future__ import annotations

import itertools
from pathlib import Path

from pmd_mmaction.readers.video_stream import Orientation
from tests.datasets.form_builders import (
    FIRST,
    INTERLACED,
    PLAIN,
    SECOND,
    STILL,
    Form,
    add_picture,
    add_sound,
    after,
    all_keys,
    cut,
    equal_times,
    form,
    from_second_key,
    joined,
    joined_bytes,
    mpeg,
    no_keys,
    stored,
    swap_times,
    times_of_decoding,
    turned,
    x264,
    x265,
)
from tests.datasets.numbered_videos import FRAMES, number

__all__ = ['FORMS', 'Form', 'number', 'write']


def write(folder: Path, name: str) -> Path:
    """Writes a form into a folder."""
    path = Path(folder, name)
    FORMS[name].make(path)
    return path


_TURNS = [Orientation(*map(bool, t)) for t in itertools.product((0, 1), repeat=3)]
_VPX = {'g': '12', 'cpu-used': '8', 'deadline': 'realtime'}
_HIDING = {'g': '24', 'auto-alt-ref': '1', 'lag-in-frames': '16', 'cpu-used': '8'}


def _vpx(codec: str, **part) -> dict:
    return dict(codec=codec, options=_VPX, **part)


FORMS: dict[str, Form] = {
    # H.264: groups of pictures
    'h264.mp4': x264(),
    'long_group.mp4': x264('keyint=250'),
    'intra_only.mp4': x264('keyint=1'),
    'no_b_frames.mp4': x264('bframes=0'),
    'pyramid.mp4': x264('bframes=7:b-pyramid=normal:keyint=30'),
    'open_group.mp4': x264('open-gop=1'),
    'intra_refresh.mp4': x264('intra-refresh=1'),
    'slices.mp4': x264('slices=4'),
    'interlaced.mp4': x264('interlaced=1'),
    'baseline.mp4': form(options={'g': '12', 'profile': 'baseline'}),
    'matrices.mp4': x264('cqm=jvt'),
    # pixels
    'ten_bit.mp4': x264(pix_fmt='yuv420p10le'),
    'odd_444.mp4': x264(pix_fmt='yuv444p', size=(97, 63)),
    '422.mp4': x264(pix_fmt='yuv422p'),
    'full_range.mp4': x264(pix_fmt='yuvj420p'),
    # H.264: containers
    'h264.mov': x264(),
    'h264.mkv': x264(),
    'h264.avi': x264(),
    'h264.flv': x264(),
    'h264.ts': x264(),
    'h264.m2ts': x264(kind='mpegts', muxer={'mpegts_m2ts_mode': '1'}),
    'h264.MTS': x264('interlaced=1', kind='mpegts', muxer={'mpegts_m2ts_mode': '1'}),
    'h264.asf': x264(),
    'raw.h264': x264(),
    'fragments.mp4': x264(muxer={'movflags': 'frag_keyframe+empty_moov'}),
    'index_first.mp4': x264(muxer={'movflags': 'faststart'}),
    # time stamps
    'variable_rate.mp4': x264(milliseconds=lambda n: 40 * n + 4 * (n * n % 7)),
    'late_start.mp4': x264(milliseconds=lambda n: 5000 + 40 * n),
    'negative_start.mkv': x264(milliseconds=lambda n: 40 * n - 400),
    'negative_start.mp4': x264(milliseconds=lambda n: 40 * n - 400, numbers=range(10, FRAMES)),
    'pause.mkv': x264(milliseconds=lambda n: 40 * n + 90_000 * (n > 20)),
    'dense.mkv': x264('bframes=0', rate=2000),
    'swapped_times.mp4': x264('bframes=0', arrange=swap_times),
    'swapped_b_times.mp4': x264(arrange=swap_times),
    'equal_times.mp4': x264(arrange=equal_times),
    'times_of_decoding.mp4': x264(arrange=times_of_decoding),
    'all_keys.mp4': x264(arrange=all_keys),
    'all_keys.mkv': x264(arrange=all_keys),
    'no_keys.mp4': x264(arrange=no_keys),
    # cut without encoding
    'cut_start.mp4': cut(5, FRAMES - 1),
    'cut_both.mp4': cut(5, 30),
    'cut_within_a_group.mp4': cut(14, 21),
    'joined_late.ts': x264(arrange=lambda packets: packets[5:], numbers=range(12, FRAMES)),
    'joined_late.mpg': mpeg(
        'mpeg2video', arrange=lambda packets: packets[5:], numbers=range(12, FRAMES)
    ),
    'open_start.mp4': x264('open-gop=1', arrange=from_second_key, numbers=range(12, FRAMES)),
    'open_start.hevc.mkv': x265('open-gop=1', arrange=from_second_key, numbers=range(12, FRAMES)),
    'parts.ts': joined_bytes(x264(), x264('cabac=0:ref=1')),
    'other_parameters.mp4': joined(FIRST, dict(options={'x264-params': 'cabac=0'}, **SECOND)),
    # the size changes
    'sizes.ts': joined_bytes(x264(), x264(size=(128, 96))),
    'sizes.mp4': joined(FIRST, dict(size=(128, 96), **SECOND)),
    'sizes.webm': joined(_vpx('libvpx-vp9', **FIRST), _vpx('libvpx-vp9', size=(64, 48), **SECOND)),
    'sizes.vp8.webm': joined(_vpx('libvpx', **FIRST), _vpx('libvpx', size=(128, 96), **SECOND)),
    'sizes.avi': joined(
        dict(codec='mjpeg', pix_fmt='yuvj420p', **FIRST),
        dict(codec='mjpeg', pix_fmt='yuvj420p', size=(128, 96), **SECOND),
    ),
    # all eight display matrices
    **{f'turned_{i}.mp4': turned(turn) for i, turn in enumerate(_TURNS)},
    # other streams
    'sound_first.mp4': x264(before=after(add_sound, 1.6)),
    'longer_sound.mkv': x264(before=after(add_sound, 2.4)),
    'thumbnails_first.mov': x264(before=after(add_picture, PLAIN, 4)),
    'cover_first.mp4': x264(before=after(add_picture, STILL, 1)),
    'large_cover.mp4': x264(before=after(add_picture, STILL, 1, 512)),
    'two_videos.mkv': x264(before=after(add_picture, PLAIN, 40)),
    # other codecs
    'hevc.mp4': x265(),
    'hevc.mkv': x265('open-gop=0'),
    'hevc.ts': x265(),
    'hevc_layers.mp4': x265('temporal-layers=3:b-pyramid=1:bframes=3'),
    'hevc_ten_bit.mp4': x265(pix_fmt='yuv420p10le'),
    'raw.hevc': x265(),
    'vp8.webm': form(codec='libvpx', options=_VPX),
    'vp8_hidden.webm': stored('vp8_hidden.webm'),
    'vp9.webm': form(codec='libvpx-vp9', options=_VPX),
    'vp9.mp4': form(codec='libvpx-vp9', options=_HIDING),
    'vp9_again.webm': stored('vp9_again.webm'),
    # of libsvtav1 (g=12, preset=12, crf=20), which puts a process of root under SCHED_FIFO: from
    # then on it and all that it starts would take the cores from every other process
    'av1.mp4': stored('av1.mp4'),
    'av1.webm': stored('av1.webm'),
    'av1_hidden.mp4': stored('av1_hidden.mp4'),
    'mpeg4.avi': mpeg('mpeg4'),
    'mpeg4.mp4': mpeg('mpeg4'),
    'mpeg4.mkv': mpeg('mpeg4'),
    'packed.avi': stored('packed.avi', [*range(37), 38]),  # decoders lose the last but one
    'mpeg2.mpg': mpeg('mpeg2video'),
    'mpeg2.ts': mpeg('mpeg2video'),
    'mpeg2.mkv': mpeg('mpeg2video'),
    'mpeg2_interlaced.ts': mpeg('mpeg2video', flags=INTERLACED),
    'mpeg1.mpg': mpeg('mpeg1video'),
    'h263.3gp': form(codec='h263', size=(128, 96)),
    'flash.flv': form(codec='flv'),
    'wmv1.wmv': form(codec='wmv1'),
    'wmv2.wmv': form(codec='wmv2'),
    'msmpeg4.avi': form(codec='msmpeg4'),
    'real.rm': form(codec='rv20'),
    'theora.ogv': stored('theora.ogv'),
    'animation.gif': form(codec='gif', pix_fmt='rgb8'),
    'animation.apng': form(codec='apng', pix_fmt='rgb24'),
    'mjpeg.avi': form(codec='mjpeg', pix_fmt='yuvj420p'),
    'mjpeg.mov': form(codec='mjpeg', pix_fmt='yuvj420p'),
    'prores.mov': form(codec='prores_ks', pix_fmt='yuv422p10le'),
    'alpha.mov': form(codec='png', pix_fmt='rgba'),
    'alpha.prores.mov': form(codec='prores_ks', pix_fmt='yuva444p10le'),
    'ffv1.mkv': form(codec='ffv1'),
    'huffyuv.avi': form(codec='huffyuv', pix_fmt='rgb24'),
    'qtrle.mov': form(codec='qtrle', pix_fmt='rgb24'),
    'cinepak.avi': form(codec='cinepak', pix_fmt='rgb24'),
    'raw.avi': form(codec='rawvideo'),
}
