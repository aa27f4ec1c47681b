"""Find out whether a file lies on a network filesystem.

SQLite's write-ahead log needs memory that all its readers share, so it works only among processes of one machine.
"""

from __future__ import annotations

import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
# Filesystems that several machines may have mounted at once. Amazon EFS is nfs4.
_NETWORK = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "gfs2", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "smb3"}
    | {"smbfs", "virtiofs"}
)


def is_on_network(path: Path, mounts: Path = _MOUNTS) -> bool:
    """Whether several machines may have the file open. False if the system does not tell, as on macOS."""
    kind = kind_of(path, mounts)
    return kind in _NETWORK or kind.startswith("fuse.")  # sshfs, s3fs and their like; a plain disk is fuseblk


def kind_of(path: Path, mounts: Path = _MOUNTS) -> str:
    """Return the type of the filesystem that holds a file, or will hold it; empty if the system does not tell."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    place = path.resolve()
    found, depth = "", -1
    for line in lines:
        point, kind = _mount(line)
        # Not `>`: of two mounts on one folder, the later one hides the earlier one.
        if place.is_relative_to(point) and len(point.parts) >= depth:
            found, depth = kind, len(point.parts)
    return found


def _mount(line: str) -> tuple[Path, str]:
    """Read a line of mountinfo (proc(5)): the fifth field is the folder, the type follows a lone hyphen."""
    before, _, after = line.partition(" - ")
    folder = re.sub(r"\\([0-7]{3})", lambda escaped: chr(int(escaped[1], 8)), before.split(" ")[4])
    return Path(folder), after.split(" ")[0]
