"""`python -m sandbox`: serve a local Cognito until told to stop, and say on one line of JSON where it is."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from random import Random
from typing import get_args

from sandbox.local import local_client
from sandbox.people import PoolKind
from sandbox.seed import TargetKind, make_target, seed_source
from sandbox.server import Sandbox, mark_external


def main() -> int:
    """Start, seed if asked, print the JSON line, and serve until a signal or the end of stdin; return 0."""
    options = _options()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if options.until_stdin_closes:
        threading.Thread(target=_wait_for_end_of_stdin, args=(stop,), daemon=True).start()
    pools = _make_pools(options)
    with Sandbox(options.port, latency=options.latency) as sandbox:
        sys.stdout.write(json.dumps({"endpoint_url": sandbox.endpoint_url, **pools}) + "\n")
        sys.stdout.flush()
        stop.wait()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1, 0 for any free one (the default)")
    parser.add_argument("--seed", type=int, metavar="N", help="make an old user pool with N users")
    parser.add_argument("--random", type=int, default=7, metavar="SEED", help="which N users to invent (default 7)")
    parser.add_argument("--kind", choices=get_args(PoolKind), default="plain", help="kind of the old user pool")
    parser.add_argument("--target-kind", choices=get_args(TargetKind), default="plain", help="kind of the new one")
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS", help="delay of every call")
    parser.add_argument("--until-stdin-closes", action="store_true", help="also stop when stdin is closed")
    return parser.parse_args()


def _make_pools(options: argparse.Namespace) -> dict[str, str | None]:
    source_pool_id = None
    with local_client() as client:
        if options.seed is not None:
            random = Random(options.random)  # noqa: S311 - invented users, not secrets
            seeded = seed_source(
                client, users=options.seed, random=random, kind=options.kind, mark_external=mark_external
            )
            source_pool_id = seeded.pool_id
        target_pool_id = make_target(client, kind=options.target_kind)
    return {"source_pool_id": source_pool_id, "target_pool_id": target_pool_id}


def _wait_for_end_of_stdin(stop: threading.Event) -> None:
    # Not sys.stdin: the interpreter can not exit while a daemon thread holds its lock.
    while os.read(0, 65536):
        pass
    stop.set()


if __name__ == "__main__":
    sys.exit(main())
