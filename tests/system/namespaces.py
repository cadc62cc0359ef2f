"""Namespaces of a program's own: a small /dev/shm, another /proc. For root alone, and not in every container."""
import os
import shutil
import subprocess

import pytest


def small_shm(size):
    """Nothing of it can be seen outside. Not all of / is made private, since in a chroot / is no mount."""
    return ["unshare", "-m", "--propagation", "unchanged", "sh", "-c",
            f'mount --make-rprivate /dev && mount -t tmpfs -o size={size} tmpfs /dev/shm && exec "$@"', "sh"]


# A /dev/shm of its own, since on this machine others may run.
ALONE = ["unshare", "-m", "--propagation", "unchanged", "sh", "-c",
         'mount --make-rprivate /dev && mount -t tmpfs tmpfs /dev/shm && exec "$@"', "sh"]


def own_proc():
    """A namespace of process ids with its own /proc, for a command behind it. `unshare --mount-proc` makes all mounts
    private from / downwards, which a chroot does not allow: / is no mount there. /proc is one."""
    return ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--propagation", "unchanged", "sh", "-c",
            'mount --make-private /proc && mount -t proc proc /proc && exec "$@"', "sh"]


def can_unshare():
    return os.geteuid() == 0 and shutil.which("unshare") and subprocess.run(
        [*small_shm("1m"), "true"], stderr=subprocess.DEVNULL).returncode == 0


needs_namespace = pytest.mark.skipif(not can_unshare(), reason="needs root and mount namespaces")
