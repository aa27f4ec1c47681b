#!/usr/bin/env bash
# ol-parliament 1.7.0 (an IAM policy linter): an action that can act on one of two types of resource.
#
# Guess: a policy that names a resource of either type is clean.
# Is: it counts as a mismatch until both types are named: an execution of a standard state machine, which is never an express
# one too, is RESOURCE_MISMATCH for want of the other ARN. With both ARNs it is clean, the wider policy of the two.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -qq --disable-pip-version-check ol-parliament==1.7.0

cat >"$here/program.py" <<'PYTHON'
import json

import parliament

STANDARD = "arn:aws:states:us-east-1:123456789012:execution:migration:a"
EXPRESS = "arn:aws:states:us-east-1:123456789012:express:migration:a:b"


def findings(*resources):
    statement = {"Effect": "Allow", "Action": "states:DescribeExecution", "Resource": list(resources)}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    found = parliament.analyze_policy_string(policy).findings
    return [(one.issue, [detail["required_format"] for detail in one.detail]) for one in found]


print("standard:", findings(STANDARD))
print("express:", findings(EXPRESS))
print("both:", findings(STANDARD, EXPRESS))
PYTHON

cat >"$here/expected" <<'TEXT'
standard: [('RESOURCE_MISMATCH', ['arn:*:states:*:*:express:*:*:*'])]
express: [('RESOURCE_MISMATCH', ['arn:*:states:*:*:execution:*:*'])]
both: []
TEXT

env -i HOME="$here" "$here/venv/bin/python" "$here/program.py" >"$here/seen" 2>&1 || true
cat "$here/seen"
if ! diff "$here/expected" "$here/seen"; then
    echo "parliament now judges an action with two types of resource otherwise." >&2
    exit 1
fi
