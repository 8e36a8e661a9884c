"""A stand-in for the base image: this machine's Python, shell and the libraries they load."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

TOOLS = ("sh", "cp", "mkdir", "chown", "chmod", "cat", "env")
# What a slim image holds beside, and wheels load.
LIBRARIES = (
    "libstdc++.so.6",
    "libgcc_s.so.1",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "libutil.so.1",
    "libresolv.so.2",
)
LEFT_OUT = ("__pycache__", "test", "tests", "idlelib", "tkinter", "turtledemo", "*.a", "config-*")
ACCOUNTS = "root:x:0:0:root:/root:/bin/sh\n"


def make(root: Path) -> None:
    """Fill `root` with a small system whose Python stands where the official image has it."""
    for folder in ("bin", "etc", "dev", "proc", "tmp", "usr/bin", "usr/local/bin", "root", "data"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    (root / "etc/passwd").write_text(ACCOUNTS)
    (root / "etc/group").write_text("root:x:0:\n")
    (root / "etc/hosts").touch()
    (root / "etc/nsswitch.conf").write_text("hosts: files dns\n")
    (root / "etc/ld.so.conf").write_text("/usr/local/lib\n")
    for device in ("null", "urandom", "random", "zero"):
        (root / "dev" / device).touch()
    python = _copy_python(root)
    programs = [Path(path) for tool in TOOLS if (path := shutil.which(tool))]
    for program in programs:
        shutil.copy2(program.resolve(), root / "bin" / program.name)
    extensions = list((root / "usr/local/lib").rglob("*.so"))
    _copy_libraries(root, [python, *programs, *extensions])
    subprocess.run(["ldconfig", "-r", root], check=True)


def _copy_python(root: Path) -> Path:
    prefix = Path(sys.base_prefix)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    target = root / "usr/local"
    ignored = shutil.ignore_patterns(*LEFT_OUT, "site-packages")
    shutil.copytree(prefix / "lib" / version, target / "lib" / version, ignore=ignored)
    packages = Path("lib") / version / "site-packages"
    (target / packages).mkdir()
    shutil.copytree(prefix / packages / "pip", target / packages / "pip")
    for library in (prefix / "lib").glob("libpython*.so*"):
        shutil.copy2(library, target / "lib", follow_symlinks=False)
    program = prefix / "bin" / version
    shutil.copy2(program, target / "bin" / version)
    for name in ("python", "python3"):
        (target / "bin" / name).symlink_to(version)
    return program


def _copy_libraries(root: Path, programs: list[Path]) -> None:
    """What the dynamic linker says the programs need, to where it says it is."""
    said = subprocess.run(["ldd", *programs], check=False, capture_output=True, text=True).stdout
    found = set(re.findall(r"(/\S+\.so\S*) \(0x", said))
    cache = subprocess.run(["ldconfig", "-p"], check=True, capture_output=True, text=True).stdout
    for name in LIBRARIES:
        found |= set(re.findall(rf"{re.escape(name)} .*x86-64.* => (\S+)", cache)[:1])
    for path in sorted(found):
        if not path.startswith((str(root), sys.base_prefix)):
            target = root / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(Path(path).resolve(), target)
