"""The nightly job's task on this machine: the image's command, the template's environment, the mounts in a folder."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from templates import ACCOUNT, DEPLOY, Stack

ROOT = DEPLOY.parent
OLD, NEW = "eu-west-1_OldPool01", "eu-central-1_NewPool01"
LONG = 60  # seconds after which a test gives up; nothing is timed


def batch(**parameters: str) -> Stack:
    """The nightly job's stack."""
    given = {
        "ImageDigest": f"sha256:{'0' * 64}",
        "SourceUserPoolId": OLD,
        "TargetUserPoolId": NEW,
        "VpcId": "vpc-0",
        "SubnetA": "subnet-a",
        "SubnetB": "subnet-b",
        "AlarmTopic": f"arn:aws:sns:us-east-1:{ACCOUNT}:alarms",
    }
    return Stack("batch.yaml", given | parameters)


def properties(stack: Stack, name: str) -> Any:
    """The properties of one resource."""
    return stack.resolve(stack.template["Resources"][name]["Properties"])


def instructions(name: str) -> list[str]:
    """What stands after an instruction of the Dockerfile's last stage."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").rpartition("\nFROM ")[2].replace("\\\n", " ")
    return [line.partition(" ")[2] for line in text.splitlines() if line.startswith(f"{name} ")]


def container(stack: Stack) -> Any:
    """The one container of the task."""
    (only,) = properties(stack, "TaskDefinition")["ContainerDefinitions"]
    return only


@dataclass
class Task:
    """A task of the stack on this machine: the image's command with the task's environment, its mounts in a folder."""

    stack: Stack
    folder: Path
    endpoint_url: str

    def start(self) -> subprocess.Popen[str]:
        """Start it, as ECS would."""
        return subprocess.Popen(
            self.command(),
            env=self.environment(),
            cwd=self.folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self) -> tuple[int, str]:
        """Run it to its end; return the exit code and the log."""
        with self.start() as process:
            said, _ = process.communicate(timeout=LONG)
        assert "Traceback" not in said
        return process.returncode, said

    def command(self) -> list[str]:
        """The image's entry point with the task's words, as they are called here."""
        copied = dict(reversed(line.split()) for line in instructions("COPY") if not line.startswith("--"))
        python, script = json.loads(instructions("ENTRYPOINT")[0])
        assert python.endswith("/bin/python")
        return [sys.executable, str(ROOT / copied[script]), *container(self.stack)["Command"]]

    def environment(self) -> dict[str, str]:
        """The image's environment and the task's, and the credentials and endpoints that stand in for AWS's."""
        mounts = {
            mount["ContainerPath"]: self.folder / mount["SourceVolume"]
            for mount in container(self.stack)["MountPoints"]
        }
        image = dict(pair.split("=") for line in instructions("ENV") for pair in line.split())
        task = {one["Name"]: one["Value"] for one in container(self.stack)["Environment"]}
        found = {key: str(mounts.get(value, value)) for key, value in {**image, **task}.items()}
        for place in mounts.values():
            place.mkdir(exist_ok=True)
        stand_in = {"AWS_ACCESS_KEY_ID": "stand-in", "AWS_SECRET_ACCESS_KEY": "stand-in"}
        return {**found, **stand_in, "AWS_ENDPOINT_URL": self.endpoint_url, "AWS_EC2_METADATA_DISABLED": "true"}
