"""Processes that begin with everything imported: forked from one that waits, for a cold start takes a second of CPU.

What runs in them is what `python -m MODULE` runs, with an interpreter, signals, files and an exit code of its own. Run
as a program, this file is the process that waits.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, Self

import botocore.client
import botocore.regions
import botocore.session
import click

_LONGEST = 1 << 20  # bytes; more than an environment and a command line have
PIPE = subprocess.PIPE


def share_models() -> None:
    """Let all boto3 clients of this process share the API models, their classes and the rules for endpoints.

    Each session would take a tenth of a second to read the models, and each client milliseconds to make the rest.
    """
    if hasattr(botocore.session.create_loader, "cache_clear"):
        return
    botocore.session.create_loader = cache(botocore.session.create_loader)
    creator: Any = botocore.client.ClientCreator
    make_class, classes = creator._create_client_class, {}  # noqa: SLF001 -- there is no other way in
    make_provider, providers = botocore.regions.EndpointProvider, {}

    def class_of(creator: Any, name: str, model: Any) -> Any:
        key = name, *model.operation_names  # an older model has fewer of them
        if key not in classes:
            classes[key] = make_class(creator, name, model)
        return classes[key]

    def provider_of(ruleset_data: Any, **others: Any) -> Any:
        if id(ruleset_data) not in providers:  # beside the rules themselves, so that no others have their place
            providers[id(ruleset_data)] = ruleset_data, make_provider(ruleset_data, **others)
        return providers[id(ruleset_data)][1]

    creator._create_client_class = class_of  # noqa: SLF001
    botocore.regions.EndpointProvider = provider_of


class Process:
    """A process begun by `start`, with what tests use of `subprocess.Popen`."""

    def __init__(self, status: socket.socket, pipes: dict[int, Any]) -> None:
        self._status = status
        self.pid = int(self._line())
        self.returncode: int | None = None
        self.stdin, self.stdout, self.stderr = (pipes.get(number) for number in range(3))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.communicate()

    def poll(self) -> int | None:
        """Return the exit code, or minus the number of the signal that ended it; None while it runs."""
        with suppress(TimeoutError):
            return self.wait(0.0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended. Raises TimeoutError."""
        if self.returncode is None:
            self._status.settimeout(timeout)
            try:
                self.returncode = int(self._line())
            except BlockingIOError:
                raise TimeoutError from None
            self._status.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str | None, str | None]:
        """Close its stdin, read what it says until it ends, and return that. Raises TimeoutError."""
        said: list[str | None] = [None, None]

        def read(number: int, pipe: Any) -> None:
            with pipe:
                said[number] = pipe.read()

        pipes = [pipe if pipe and not pipe.closed else None for pipe in (self.stdout, self.stderr)]
        readers = [threading.Thread(target=read, args=one, daemon=True) for one in enumerate(pipes) if one[1]]
        if self.stdin:
            self.stdin.close()
        for reader in readers:
            reader.start()
        self.wait(timeout)
        for reader in readers:
            reader.join(timeout)
        return said[0], said[1]

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Tell it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it as the kernel does."""
        self.send_signal(signal.SIGKILL)

    def _line(self) -> str:
        answer = self._status.recv(64)
        if not answer:
            raise RuntimeError("The process that begins others has ended.")
        return answer.decode()


def start(module: str, *words: str, folder: Path | None = None, **streams: Any) -> Process:
    """Begin `python -m MODULE WORDS…`; `stdin`, `stdout`, `stderr` are PIPE, an open file, or those of this process."""
    given = [streams.get(name, number) for number, name in enumerate(("stdin", "stdout", "stderr"))]
    ends = {number: os.pipe() for number, stream in enumerate(given) if stream == PIPE}
    theirs = [ends[number][number > 0] if number in ends else stream for number, stream in enumerate(given)]
    status, reported = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    asked = json.dumps({"words": words, "folder": str(folder or Path.cwd()), "environment": dict(os.environ)})
    with reported:
        socket.send_fds(_waiting(module), [asked.encode()], [*theirs, reported.fileno()])
    for number, both in ends.items():
        os.close(both[number > 0])
    pipes = {number: os.fdopen(both[number == 0], "w" if number == 0 else "r") for number, both in ends.items()}
    return Process(status, pipes)


def _waiting(module: str) -> socket.socket:
    """Return where to ask for processes of a module."""
    if module not in _WAITING:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            words = [sys.executable, __file__, module, str(theirs.fileno())]
            _WAITING[module] = ours, subprocess.Popen(words, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
    return _WAITING[module][0]


def end() -> None:
    """End the processes that wait, once all that they began have ended."""
    while _WAITING:
        _, (asking, process) = _WAITING.popitem()
        asking.close()
        process.wait(60)


_WAITING: dict[str, tuple[socket.socket, subprocess.Popen[bytes]]] = {}


# What waits.


def _wait(asked: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Fork at every request, and return in the new process what it asks for; None in the end."""
    while True:
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        request, files, _, _ = socket.recv_fds(asked, _LONGEST, 4)
        if not request:
            return None
        if os.fork() == 0:
            asked.close()
            child = os.fork()
            if child == 0:
                os.close(files.pop())
                return json.loads(request), files
            _report(child, files)
        for file in files:
            os.close(file)


def _report(child: int, files: list[int]) -> NoReturn:
    """Tell who a new process is, and later how it ended."""
    with socket.socket(fileno=files.pop()) as status:
        for file in files:
            os.close(file)
        status.send(str(child).encode())
        _, ended = os.waitpid(child, 0)
        with suppress(OSError):  # who asked for it may have ended as well
            status.send(str(os.waitstatus_to_exitcode(ended)).encode())
    os._exit(0)


def _become(request: dict[str, Any], files: list[int]) -> None:
    """Take the streams, the environment, the folder and the words of a request."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.path[0] = request["folder"]
    sys.argv[1:] = request["words"]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, name)
        each_line = 1 if number == 2 or os.isatty(number) else -1
        new = open(number, "w" if number else "r", each_line, old.encoding, old.errors, closefd=False)  # noqa: SIM115
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)


def _warm(module: str) -> None:
    """Import what the module will, and read what its clients read."""
    share_models()
    for name in _IMPORTED[module]:
        importlib.import_module(name)
    session = importlib.import_module("userpool.client").stand_in_session("us-east-1")
    for service in _SERVICES[module]:
        session.client(service)
    if module == "batch":
        _import_commands(importlib.import_module("batch.cli.main").cli)
    else:
        _use_moto()
    gc.collect()
    gc.freeze()


def _import_commands(group: Any) -> None:
    """Import every command, which otherwise is imported when it is called."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            _import_commands(command)


def _use_moto() -> None:
    """Let moto have read what it reads before its first answer, in an account that is nobody else's."""
    cognito = importlib.import_module("sandbox.cognito").Cognito()
    client = importlib.import_module("sandbox.in_process").client(cognito)
    pool_id = client.create_user_pool(PoolName="warm")["UserPool"]["Id"]
    client.describe_user_pool(UserPoolId=pool_id)


def main(module: str, asked: int) -> None:
    """Wait; every process that is asked for goes on from here as `python -m MODULE`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.path[0] = str(Path.cwd())
    _warm(module)
    with socket.socket(fileno=asked) as asked_at:
        wanted = _wait(asked_at)
    if wanted is None:
        with suppress(ChildProcessError):
            while os.wait():
                pass
        return
    _become(*wanted)
    if module == "sandbox":
        importlib.import_module("moto.moto_api._internal").mock_random.seed()  # or all would invent the same pool ids
    runpy.run_module(module, run_name="__main__", alter_sys=True)


_IMPORTED = {
    "batch": ["batch.cli.main"],
    "sandbox": ["sandbox.dump", "sandbox.made_up.rehearsal", "sandbox.made_up.seed", "sandbox.server"],
}
_SERVICES = {"batch": ["cognito-idp", "dynamodb"], "sandbox": ["cognito-idp"]}

if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
