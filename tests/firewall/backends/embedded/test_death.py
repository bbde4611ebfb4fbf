"""On real processes: a parent starts a child that says what reaches it, and is killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from firewall.backends.embedded.death import dies_with
from firewall.backends.embedded.identity import Identity

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")

ROOT = Path(__file__).parents[4]
TRAP = 'trap "echo SIGINT; exit 0" INT; echo up; while :; do sleep 0.05; done'
PARENT = """
import os, subprocess, sys, threading
from firewall.backends.embedded.death import dies_with
from firewall.backends.embedded.identity import Identity

def start():
    subprocess.Popen(["sh", "-c", {trap!r}], start_new_session=True, preexec_fn=dies_with(os.getpid()),
                     stderr=subprocess.DEVNULL, **{identity})
{then}
"""


class Parent:
    """`line`: what it or its child says next."""

    def __init__(self, then: str, identity: str = "{}") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PARENT.format(trap=TRAP, then=then, identity=identity)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
        )  # fmt: skip

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode().strip()


@pytest.fixture
def started() -> Iterator[list[Parent]]:
    parents: list[Parent] = []
    yield parents
    for parent in parents:
        parent.process.kill()
        parent.process.communicate()


@pytest.mark.parametrize("identity", ["{}", "Identity.unprivileged().popen()"], ids=["as itself", "as somebody else"])
def test_a_child_gets_sigint_when_its_parent_is_killed(started: list[Parent], identity: str) -> None:
    parent = Parent("start()\nsys.stdin.read()", identity)
    started.append(parent)
    assert parent.line() == "up"
    parent.process.kill()
    assert parent.line() == "SIGINT"


def test_it_is_the_thread_that_started_the_child_which_counts(started: list[Parent]) -> None:
    # The thread waits until the child has said that it is up; then it ends, and its process does not.
    parent = Parent(
        """
up, say = os.pipe()
os.dup2(1, 9)
os.dup2(say, 1)
thread = threading.Thread(target=lambda: (start(), os.read(up, 3)))
thread.start()
thread.join()
os.write(9, os.read(up, 99))
sys.stdin.read()
"""
    )
    started.append(parent)
    assert parent.line() == "SIGINT"
    assert parent.process.poll() is None


def test_a_child_whose_parent_is_gone_already_does_not_begin() -> None:
    done = subprocess.run(["echo", "begun"], check=False, capture_output=True, preexec_fn=dies_with(os.getppid()))
    assert (done.returncode, done.stdout) == (1, b"")


def test_a_child_of_ours_begins_and_ends_as_it_likes() -> None:
    done = subprocess.run(
        ["sh", "-c", "kill -TERM $$"], check=False, preexec_fn=dies_with(os.getpid()), **Identity().popen()  # type: ignore[call-overload]
    )  # fmt: skip
    assert done.returncode == -signal.SIGTERM
