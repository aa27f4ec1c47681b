from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest
import warm


@pytest.fixture
def server():
    """Starts servers of the sandbox."""
    begun = []

    def start():
        process = warm.start("sandbox", "--until-stdin-closes", stdin=warm.PIPE, stdout=warm.PIPE)
        begun.append(process)
        return process, json.loads(process.stdout.readline())

    yield start
    for process in begun:
        process.communicate()


def test_a_warm_command_ends_as_a_cold_one(tmp_path, monkeypatch):
    """It says and returns what `python -m batch` does, in the folder and environment of the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "60")
    words = ["--config", "missing.yaml", "plan"]
    cold = subprocess.run([sys.executable, "-m", "batch", *words], capture_output=True, text=True, check=False)
    with warm.start("batch", *words, stdout=warm.PIPE, stderr=warm.PIPE) as process:
        said = process.communicate()
    assert (process.returncode, *said) == (cold.returncode, cold.stdout, cold.stderr)
    assert cold.returncode == 2
    assert "missing.yaml" in cold.stderr


def test_servers_share_nothing(server):
    """Two of them are two processes, with a port and pools of their own."""
    (first, one), (second, other) = server(), server()
    assert first.pid != second.pid
    assert not set(one.values()) - {None} & set(other.values())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 0)])
def test_signals_reach_it(server, number, code):
    """It runs until it is killed, or ends by itself when it is told to."""
    process, _ = server()
    assert process.poll() is None
    with pytest.raises(TimeoutError):
        process.wait(0.01)
    process.send_signal(number)
    assert process.wait(60) == code
    assert process.poll() == code
