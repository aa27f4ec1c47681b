#!/usr/bin/env bash
# awslambdaric 4.2.2 (AWS's runtime client for Python functions): what it writes beside a function's own lines.
#
# Guess: a function that prints a line of JSON and then raises leaves one line in its log.
# Is: the client adds a traceback of several lines. Only with AWS_LAMBDA_LOG_FORMAT=JSON (LogFormat: JSON) is that one line of JSON.
# The printed line is the same either way.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -qq --disable-pip-version-check awslambdaric==4.2.2 simplejson==4.3.0

cat >"$here/function.py" <<'PYTHON'
class DeniedError(Exception):
    pass


def handler(event, context):
    print('{"outcome": "refused"}', flush=True)
    raise DeniedError
PYTHON

cat >"$here/program.py" <<'PYTHON'
"""A Lambda runtime API for one event. Says how each line of the function's log reads."""
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

over = threading.Event()


class Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    events = [b"{}"]

    def do_GET(self):
        if not self.events:
            over.wait()
            return
        self.answer(200, self.events.pop())

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(202, b"")
        over.set()

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Lambda-Runtime-Aws-Request-Id", "1")
        self.send_header("Lambda-Runtime-Deadline-Ms", "1999999999999")
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def kind(line):
    try:
        return "JSON: " + ", ".join(sorted(json.loads(line)))
    except ValueError:
        return "text"


server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
server.daemon_threads = True
server.handle_error = lambda *_: None  # the client is ended while it waits for the next event
threading.Thread(target=server.serve_forever, daemon=True).start()
names = ("FUNCTION_NAME", "FUNCTION_VERSION", "FUNCTION_MEMORY_SIZE")
given = {f"AWS_LAMBDA_{name}": "1" for name in names} | {"AWS_LAMBDA_LOG_FORMAT": sys.argv[1]}
given["AWS_LAMBDA_RUNTIME_API"] = f"127.0.0.1:{server.server_port}"
process = subprocess.Popen(
    [sys.executable, "-m", "awslambdaric", "function.handler"],
    env=os.environ | given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
)
over.wait(30)
process.kill()
for line in process.stdout.read().split("\n"):
    if line.strip():
        print(f"{sys.argv[1]}: {kind(line)}")
PYTHON

cat >"$here/expected" <<'TEXT'
Text: JSON: outcome
Text: text
Text: text
Text: text
Text: text
JSON: JSON: outcome
JSON: JSON: errorMessage, errorType, level, requestId, stackTrace, timestamp
TEXT

cd "$here"
for format in Text JSON; do
    env -i HOME="$here" PYTHONPATH="$here" "$here/venv/bin/python" "$here/program.py" "$format"
done >"$here/seen" 2>&1 || true
cat "$here/seen"
if ! diff "$here/expected" "$here/seen"; then
    echo "awslambdaric now writes other lines beside a function's own." >&2
    exit 1
fi
