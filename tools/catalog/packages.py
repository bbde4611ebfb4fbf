"""The vendors' packages that facts are made from, pinned: fetched by the registries' ordinary clients
into a folder outside the tree.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SCRATCH = Path(os.environ.get("AAF_CATALOG_SCRATCH") or Path(tempfile.gettempdir()) / "aaf-catalogs")
"""Kept between runs: some of the packages are large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """`registry`: `npm`, `Go`, `PyPI` (a wheel) or `PyPI source`."""

    registry: str
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.registry.partition(' ')[0]} {self.name} {self.version}"

    @property
    def folder(self) -> str:
        """Its name in the scratch folder: `octokit-openapi-23.0.2`, `datadog-api-client-go-v2.67.0`, `botocore-1.44.5`."""
        if self.registry == "Go":
            parts = [part for part in self.name.split("/") if not (part[0] == "v" and part[1:].isdigit())]
            return f"{parts[-1]}-{self.version}"
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}"


def fetched(package: Package, scratch: Path = SCRATCH) -> Path:
    """The folder that holds the package's files; fetched if it is not there. Raises CalledProcessError with the client's words."""
    target = scratch / package.folder
    if not target.exists():
        print(f"fetching {package} …", file=sys.stderr)
        scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=scratch) as work:
            _CLIENTS[package.registry](package, Path(work)).rename(target)
    return target


def _npm(package: Package, work: Path) -> Path:
    _run(work, "npm", "pack", "--silent", "--ignore-scripts", f"{package.name}@{package.version}")
    (archive,) = work.glob("*.tgz")
    return _unpacked(archive, work)


def _go(package: Package, work: Path) -> Path:
    cache = {"GOMODCACHE": str(work / "cache"), "GOFLAGS": "-modcacherw"}
    said = json.loads(_run(work, "go", "mod", "download", "-json", f"{package.name}@{package.version}", **cache))
    shutil.copytree(said["Dir"], work / "module")
    return work / "module"


def _wheel(package: Package, work: Path) -> Path:
    _pip(package, work, "--only-binary=:all:")
    (archive,) = work.glob("*.whl")
    with zipfile.ZipFile(archive) as wheel:
        wheel.extractall(work / "unpacked")
    return work / "unpacked"


def _sdist(package: Package, work: Path) -> Path:
    _pip(package, work, "--no-binary=:all:")
    (archive,) = work.glob("*.tar.gz")
    return _unpacked(archive, work)


def _pip(package: Package, work: Path, *options: str) -> None:
    _run(work, sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *options, f"{package.name}=={package.version}")


def _unpacked(archive: Path, work: Path) -> Path:
    """An archive has one folder at its top."""
    with tarfile.open(archive) as tar:
        tar.extractall(work / "unpacked", filter="data")
    (top,) = (work / "unpacked").iterdir()
    return top


def _run(work: Path, *command: str, **environment: str) -> str:
    done = subprocess.run(command, cwd=work, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        done.check_returncode()
    return done.stdout


_CLIENTS: dict[str, Callable[[Package, Path], Path]] = {"npm": _npm, "Go": _go, "PyPI": _wheel, "PyPI source": _sdist}
