"""On what kind of filesystem a file is: SQLite's write-ahead log works only where one machine has the memory of all."""

from __future__ import annotations

import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
# Several machines may have these mounted; nfs4 is also what EFS is.
_NETWORK = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "gfs2", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "smb3"}
    | {"smbfs", "virtiofs"}
)


def is_on_network(path: Path, mounts: Path = _MOUNTS) -> bool:
    """Whether several machines may have the file. False where the system does not tell, as on macOS."""
    kind = kind_of(path, mounts)
    return kind in _NETWORK or kind.startswith("fuse.")  # sshfs, s3fs and their like; a plain disk is fuseblk


def kind_of(path: Path, mounts: Path = _MOUNTS) -> str:
    """Return the type of the filesystem that a file is on, or is to be on; empty where the system does not tell."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    place = path.resolve()
    found, depth = "", -1
    for line in lines:
        point, kind = _mount(line)
        # Of two mounts on one folder the later hides the earlier.
        if place.is_relative_to(point) and len(point.parts) >= depth:
            found, depth = kind, len(point.parts)
    return found


def _mount(line: str) -> tuple[Path, str]:
    """Read a line of mountinfo (proc(5)): the fifth field is the folder, the type follows a lone hyphen."""
    before, _, after = line.partition(" - ")
    folder = re.sub(r"\\([0-7]{3})", lambda escaped: chr(int(escaped[1], 8)), before.split(" ")[4])
    return Path(folder), after.split(" ")[0]
