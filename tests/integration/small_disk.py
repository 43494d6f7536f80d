"""A disk of a few megabytes: a tmpfs that only the calling process sees, without privileges."""

import ctypes
import os
from pathlib import Path

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000


def mount_small_disk(place: Path, size: int) -> None:
    """Mounts it in namespaces of this process, which must have one thread only.

    Args:
        place: an existing directory.
        size: in bytes.

    Raises:
        OSError: if the system does not allow user namespaces.
    """
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNS):
        raise OSError(
            ctypes.get_errno(),
            'no user namespace for a small disk of the test; Ubuntu allows it with '
            'sysctl kernel.apparmor_restrict_unprivileged_userns=0',
        )
    Path('/proc/self/setgroups').write_text('deny')
    Path('/proc/self/uid_map').write_text(f'{user} {user} 1')
    Path('/proc/self/gid_map').write_text(f'{group} {group} 1')
    if libc.mount(b'tmpfs', os.fsencode(place), b'tmpfs', 0, f'size={size}'.encode()):
        raise OSError(ctypes.get_errno(), f'no tmpfs could be mounted on {place}')


class Ballast:
    """A file that takes the space of a disk.

    Args:
        directory: on that disk.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / 'ballast'

    def leave(self, free: int) -> None:
        """Grows until no more than ``free`` bytes are free."""
        disk = os.statvfs(self.path.parent)
        with self.path.open('ab') as file:
            file.write(bytes(max(0, disk.f_bavail * disk.f_frsize - free)))

    def throw_off(self) -> None:
        """Gives the space back."""
        self.path.unlink()
