"""compose.yaml's own processes in the built file system, confined as compose.yaml says."""

import os
import re
import shlex
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tools.rehearse.dockerfile import Stage

PLACE = re.compile(r"\$\{(\w+)(?::[?-]([^}]*))?\}")
DEVICES = ("null", "urandom", "random", "zero")


@dataclass
class Deployment:
    """The image's root, what its last stage says, and the values for compose's variables."""

    root: Path
    image: Stage
    compose: dict[str, Any]
    values: dict[str, str]
    volumes: Path
    addresses: dict[str, str]

    def start(self, name: str) -> "subprocess.Popen[bytes]":
        """Start a process of compose.yaml as it would be started there."""
        process = self.compose["services"][name]
        assert process["read_only"]
        return self._spawn(name, process["command"], log=self.volumes / f"{name}.log")

    def healthy(self, name: str) -> bool:
        """Whether the image's health check passes for a process."""
        words = [word.replace("127.0.0.1", self.addresses[name]) for word in self.image.health]
        return self._spawn(name, words, log=None).wait() == 0

    def environment(self, name: str) -> dict[str, str]:
        """The image's variables and those of compose.yaml, filled in."""
        given = self.compose["services"][name]["environment"]
        filled = {key: PLACE.sub(self._value, str(value)) for key, value in given.items()}
        # In here all share one network: each listens on a loopback address of its own.
        place = {f"{name.upper()}_HOST": self.addresses[name]} if name in self.addresses else {}
        return self.image.environment | filled | place

    def _value(self, match: re.Match[str]) -> str:
        return self.values.get(match.group(1), match.group(2) or "")

    def _spawn(self, name: str, words: list[str], log: Path | None) -> "subprocess.Popen[bytes]":
        user, _, group = self.image.user.partition(":")
        root = self.root
        mounts = [f"mount --bind {root} {root}", f"mount -o remount,bind,ro {root}"]
        folders = self.compose["services"][name]["tmpfs"]
        mounts += [f"mount -t tmpfs -o mode=1777 tmpfs {root}{folder}" for folder in folders]
        mounts += [f"mount --bind /dev/{device} {root}/dev/{device}" for device in DEVICES]
        mounts += [f"mount -t proc proc {root}/proc"]
        mounts += [f"mount --bind /etc/hosts {root}/etc/hosts"]
        for volume in self.compose["services"][name].get("volumes", ()):
            mounts.append(self._mount(volume))
        inside = ["unshare", f"--root={self.root}", f"--wd={self.image.folder}"]
        inside += [f"--setgid={group}", f"--setuid={user}", "/bin/env", "-i"]
        inside += [f"{key}={value}" for key, value in self.environment(name).items()]
        script = " && ".join([*mounts, f"exec {shlex.join([*inside, *words])}"])
        outside = ["setpriv", "--no-new-privs", "--clear-groups", "unshare", "--mount", "--pid"]
        outside += ["--fork", "--kill-child", "sh", "-c", script]
        with (log or Path(os.devnull)).open("ab") as file:
            return subprocess.Popen(outside, stdout=file, stderr=file, start_new_session=True)

    def _mount(self, volume: str) -> str:
        """A named volume, which takes owner and mode from the image's folder when it is new."""
        name, target = volume.split(":")[:2]
        there = self.volumes / name
        if not there.exists():
            shutil.copytree(self.root / target.lstrip("/"), there)
            state = (self.root / target.lstrip("/")).stat()
            os.chown(there, state.st_uid, state.st_gid)
        return f"mount --bind {there} {self.root}{target}"


def compose_file(repository: Path) -> dict[str, Any]:
    """compose.yaml, anchors resolved."""
    found: dict[str, Any] = msgspec.yaml.decode((repository / "compose.yaml").read_bytes())
    return found


def stop(process: "subprocess.Popen[bytes]", seconds: float) -> int:
    """SIGTERM to the process itself, not to its keeper; its exit status within the grace."""
    if process.poll() is not None:
        return process.returncode
    child = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in child:
        os.kill(int(pid), signal.SIGTERM)
    return process.wait(seconds)
