"""A folder of clips of which 5 % cannot be read."""

import ctypes
import os
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.tools import videos

VIDEOS, GOOD_NAME = 200, 'good_{:03}.mp4'
# What the reader and the pipeline say about each bad file.
BAD = {
    'truncated.mp4': 'truncated.mp4: Invalid data found',
    'damaged.mp4': 'damaged.mp4: a packet is damaged',
    'empty.mp4': 'empty.mp4: Invalid data found',
    'text.mp4': 'text.mp4: Invalid data found',
    'one_frame.mp4': 'ValueError: 1 of at least 2 frames',
    'no_frames.mp4': 'no_frames.mp4: no frame',
    'sound.mp4': 'sound.mp4: no video stream',
    'missing.mp4': 'missing.mp4: No such file',
    'forbidden.mp4': 'forbidden.mp4: Permission denied',
    'pipe.mp4': 'pipe.mp4: a pipe, socket or device',
}
UNUSUAL = (
    '8k.mp4',
    'odd_size.mp4',
    'yuv444.mp4',
    'variable_rate.mp4',
    'no_duration.mp4',
    'turned.mp4',
    'cut_off.mp4',
)


def make_folder(folder: Path, clips: Path) -> Path:
    """200 videos and their list: 10 bad ones, 7 unusual ones, links to ordinary ones.

    Args:
        folder: where to write.
        clips: result of `tiny.make_clips`.
    """
    folder.mkdir(parents=True)
    for name in UNUSUAL:
        _UNUSUAL[name](folder / name)
    whole = videos.write_video(folder / 'whole.mp4')
    _make_bad(folder, whole.read_bytes())
    whole.unlink()
    ordinary = sorted((clips / 'train').rglob('*.mp4'))
    good = [GOOD_NAME.format(i) for i in range(VIDEOS - len(BAD) - len(UNUSUAL))]
    for i, name in enumerate(good):
        (folder / name).symlink_to(ordinary[i % len(ordinary)])
    names = [*good, *UNUSUAL]
    for i, name in enumerate(BAD):
        names.insert(17 * i, name)
    (folder / 'list.txt').write_text('\n'.join(names))
    quick = [good[0] if name == '8k.mp4' else name for name in names]  # it takes seconds
    (folder / 'quick.txt').write_text('\n'.join(quick))
    return folder


def _make_bad(folder: Path, whole: bytes) -> None:
    (folder / 'truncated.mp4').write_bytes(whole[: len(whole) // 2])
    (folder / 'empty.mp4').touch()
    (folder / 'text.mp4').write_text('This is no video.')
    (folder / 'forbidden.mp4').write_bytes(whole)
    (folder / 'forbidden.mp4').chmod(0)
    videos.write_video(folder / 'one_frame.mp4', frames=1)
    videos.write_sound(folder / 'sound.mp4')
    os.mkfifo(folder / 'pipe.mp4')
    start = whole.index(b'mdat') + 4
    (folder / 'damaged.mp4').write_bytes(whole[:start] + b'\xff' * 900 + whole[start + 900 :])
    _write(folder / 'no_frames.mp4', [], movflags='empty_moov+frag_keyframe')


def _write(path: Path, images, pix_fmt: str = 'yuv420p', times=None, **options: str) -> None:
    """Writes frames (T, H, W, 3), shown at ``times`` in ms."""
    with av.open(str(path), 'w', options=options) as container:
        stream = container.add_stream('libx264', rate=25)
        stream.height, stream.width = (48, 64) if len(images) == 0 else images[0].shape[:2]
        stream.pix_fmt = pix_fmt
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        container.start_encoding()
        for i, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format='rgb24')
            if times is not None:
                frame.pts, frame.time_base = int(times[i]), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        if len(images):
            container.mux(stream.encode())


def _gray(frames: int = 20) -> list[np.ndarray]:
    return [np.full((48, 64, 3), 10 * i, np.uint8) for i in range(frames)]


def _no_duration(path: Path) -> None:
    videos.write_video(path)
    for box, offset in (('stts', 16), ('mdhd', 20), ('mvhd', 20)):
        videos.patch_box(path, box.encode(), offset, bytes(4))


def _turned(path: Path) -> None:
    videos.turn(videos.write_video(path), 90)


def _cut_off(path: Path) -> None:
    """The header, which promises 60 frames, comes first; about 30 of them are left."""
    noise = np.random.default_rng(0).integers(0, 255, (60, 48, 64, 3)).astype(np.uint8)
    _write(path, noise, movflags='faststart')
    os.truncate(path, path.stat().st_size // 2)


_UNUSUAL = {
    '8k.mp4': lambda path: videos.write_video(path, frames=2, size=(7680, 4320)),
    'odd_size.mp4': lambda path: videos.write_video(path, size=(61, 47)),
    'yuv444.mp4': lambda path: _write(path, _gray(), pix_fmt='yuv444p'),
    'variable_rate.mp4': lambda path: _write(path, _gray(), times=np.arange(20) ** 2 * 10),
    'no_duration.mp4': _no_duration,
    'turned.mp4': _turned,
    'cut_off.mp4': _cut_off,
}


@contextmanager
def permissions_count():
    """Root reads every file; in here it does not, and neither do processes forked in here."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this thread
    old = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice
    _check(libc.capget(header, old))
    new = (ctypes.c_uint32 * 6)(*old)
    new[0] &= ~0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH are no longer effective
    _check(libc.capset(header, new))
    try:
        yield
    finally:
        _check(libc.capset(header, old))


def _check(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), 'cannot change the capabilities of the process')
