"""The program between us and a child: binds its life to ours, gives up root, becomes the child.

Run by path with `python -I -S`, so it imports nothing but the standard library:
`launch.py PARENT ACCOUNT COMMAND…`, where ACCOUNT is the account to become or `-`.
It stands here rather than in a `preexec_fn`, which is unsafe in a process with threads.
"""

import ctypes
import os
import pwd
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
CAPABILITY_VERSION_3 = 0x20080522


def prctl(*arguments: int) -> None:
    """Set a property of this process (prctl, section 2); raises OSError when refused."""
    padded = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:5]]
    if ctypes.CDLL(None, use_errno=True).prctl(*padded) != 0:
        raise OSError(ctypes.get_errno(), f"prctl{arguments} refused")


def pass_on(capability: int) -> None:
    """Keep one capability, and no other, through the coming exec (capabilities(7), ambient)."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    bit = 1 << capability
    # Two sets of effective, permitted, inheritable; ours stands in the first.
    data = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    if ctypes.CDLL(None, use_errno=True).capset(header, data) != 0:
        raise OSError(ctypes.get_errno(), "capset refused")
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)


def reading_capability() -> int:
    """The weaker capability that passes closed folders, or what a container has instead of it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    held = int(effective.split()[1], 16)
    return CAP_DAC_READ_SEARCH if held >> CAP_DAC_READ_SEARCH & 1 else CAP_DAC_OVERRIDE


def become(account: str) -> None:
    """Give up root for `account`, still able to pass the 0700 folders on the way to its data."""
    entry = pwd.getpwnam(account)
    linux = sys.platform == "linux"
    capability = reading_capability() if linux else 0
    if linux:
        prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    if linux:
        pass_on(capability)


def main(parent: int, account: str, command: list[str]) -> None:
    """Become `command`, to be killed by the kernel when the process `parent` ends."""
    if account != "-":
        become(account)
    if sys.platform == "linux":
        # After the change of account, which clears it.
        prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:
        sys.exit("the parent ended before its child began")
    os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
