#!/usr/bin/env bash
# aws-resource-validator-cognito-idp 2.6.0: pydantic models of the API, with the patterns of AWS's own API model.
#
# Guess: a user name with a blank is refused, a plain one taken.
# Is: a plain construction checks no pattern at all, and when the check is asked for, every user name and group name raises
# re.error: AWS writes these patterns with Unicode classes (\p{L} and the like), which Python's re does not have. A pool id,
# whose pattern has none, is checked as one expects.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -qq --disable-pip-version-check aws-resource-validator==2.6.0 aws-resource-validator-cognito-idp==2.6.0 pydantic==2.14.4

cat >"$here/program.py" <<'PYTHON'
import re

from aws_resource_validator.pydantic_models.cognito_idp import cognito_idp_classes as api
from pydantic import ValidationError

ASKED = {"aws_validate_patterns": True}
POOL = "us-east-1_example"


def taken(model, context, **given):
    try:
        model.model_validate(given, context=context)
    except ValidationError as error:
        return f"refused: {error.errors()[0]['loc'][0]}"
    except re.error as error:
        return f"re.error: {error}"
    return "taken"


User, Group, Pool = api.AdminCreateUserRequestTypeDef, api.CreateGroupRequestTypeDef, api.DescribeUserPoolRequestTypeDef
print("not asked, carol smith:", taken(User, None, UserPoolId=POOL, Username="carol smith"))
print("asked, carol smith:", taken(User, ASKED, UserPoolId=POOL, Username="carol smith"))
print("asked, carol:", taken(User, ASKED, UserPoolId=POOL, Username="carol"))
print("asked, group admins:", taken(Group, ASKED, UserPoolId=POOL, GroupName="admins"))
print("asked, pool:", taken(Pool, ASKED, UserPoolId=POOL))
print("asked, not a pool:", taken(Pool, ASKED, UserPoolId="pool"))
PYTHON

cat >"$here/expected" <<'TEXT'
not asked, carol smith: taken
asked, carol smith: re.error: bad escape \p at position 1
asked, carol: re.error: bad escape \p at position 1
asked, group admins: re.error: bad escape \p at position 1
asked, pool: taken
asked, not a pool: refused: UserPoolId
TEXT

env -i HOME="$here" "$here/venv/bin/python" "$here/program.py" >"$here/seen" 2>&1 || true
cat "$here/seen"
if ! diff "$here/expected" "$here/seen"; then
    echo "The validator now reads the patterns of Cognito's API model otherwise." >&2
    exit 1
fi
