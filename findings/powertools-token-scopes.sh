#!/usr/bin/env bash
# aws-lambda-powertools 3.37.0: the scopes of a PreTokenGeneration event, in its pydantic model.
#
# Guess: the model for versions 2 and 3 of the event, which has a name of its own, parses what these versions add: `scopes`, a list.
# Is: it wants a map there, so it refuses every event that has scopes, and parses only one without. The model of version 1 takes
# the same events and drops the scopes; the data class of version 2 gives the list.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -qq --disable-pip-version-check aws-lambda-powertools==3.37.0 pydantic==2.14.4

cat >"$here/program.py" <<'PYTHON'
from aws_lambda_powertools.utilities.data_classes import cognito_user_pool_event as classes
from aws_lambda_powertools.utilities.parser.models import cognito as models
from pydantic import ValidationError


def event(version, **more):
    groups = {"groupsToOverride": ["staff"], "iamRolesToOverride": [], "preferredRole": None}
    return {
        "version": version,
        "triggerSource": "TokenGeneration_HostedAuth",
        "region": "us-east-1",
        "userPoolId": "us-east-1_example",
        "userName": "carol",
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "1example"},
        "request": {"userAttributes": {"sub": "a"}, "groupConfiguration": groups, **more},
        "response": {"claimsAndScopeOverrideDetails": None},
    }


def parsed(model, given):
    try:
        read = model.model_validate(given).request
    except ValidationError as error:
        return [(".".join(map(str, one["loc"])), one["type"]) for one in error.errors()]
    return f"parsed, scopes {getattr(read, 'scopes', 'dropped')}"


NEW, OLD = models.CognitoPreTokenGenerationTriggerModelV2AndV3, models.CognitoPreTokenGenerationTriggerModelV1
SCOPES = ["openid", "orders/read"]
for version in "2", "3":
    print(f"version {version}:", parsed(NEW, event(version, scopes=SCOPES)))
print("no scopes:", parsed(NEW, event("2")))
print("model of version 1:", parsed(OLD, event("2", scopes=SCOPES)))
print("data class:", classes.PreTokenGenerationV2TriggerEvent(event("2", scopes=SCOPES)).request.scopes)
PYTHON

cat >"$here/expected" <<'TEXT'
version 2: [('request.scopes', 'dict_type')]
version 3: [('request.scopes', 'dict_type')]
no scopes: parsed, scopes None
model of version 1: parsed, scopes dropped
data class: ['openid', 'orders/read']
TEXT

env -i HOME="$here" "$here/venv/bin/python" "$here/program.py" >"$here/seen" 2>&1 || true
cat "$here/seen"
if ! diff "$here/expected" "$here/seen"; then
    echo "The models of Powertools now read the scopes of a token's event otherwise." >&2
    exit 1
fi
