#!/usr/bin/env bash
# botocore 1.44.8: the address of a user pool's API over IPv6.
#
# Guess: `use_dualstack_endpoint` gives cognito-idp.REGION.api.aws in every region, with FIPS or without, and
# `client.meta.endpoint_url` tells it.
# Is: in us-east-1 and eu-west-1 it changes nothing alone; together with FIPS it keeps the ordinary FIPS name in the one and is
# api.aws in the other. In us-gov-west-1 the client tells one name and calls another. So a firewall's rule made for one region,
# or from what the client tells, may not hold in the next.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -qq --disable-pip-version-check boto3==1.44.8 botocore==1.44.8

cat >"$here/program.py" <<'PYTHON'
import boto3
from botocore.config import Config


class Stop(Exception):
    """Holds the address that a call was about to be sent to."""


def stop(request, **_):
    raise Stop(request.url)


for region in "us-east-1", "eu-west-1", "us-gov-west-1":
    for fips in False, True:
        config = Config(use_dualstack_endpoint=True, use_fips_endpoint=fips)
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
        client = boto3.client("cognito-idp", region, config=config, **keys)
        client.meta.events.register("before-send.cognito-idp.*", stop)
        try:
            client.list_users(UserPoolId=f"{region}_example")
        except Stop as stopped:
            print(region, "dual stack and FIPS" if fips else "dual stack")
            print("  tells", client.meta.endpoint_url)
            print("  calls", stopped)
PYTHON

cat >"$here/expected" <<'TEXT'
us-east-1 dual stack
  tells https://cognito-idp.us-east-1.amazonaws.com
  calls https://cognito-idp.us-east-1.amazonaws.com/
us-east-1 dual stack and FIPS
  tells https://cognito-idp-fips.us-east-1.amazonaws.com
  calls https://cognito-idp-fips.us-east-1.amazonaws.com/
eu-west-1 dual stack
  tells https://cognito-idp.eu-west-1.amazonaws.com
  calls https://cognito-idp.eu-west-1.amazonaws.com/
eu-west-1 dual stack and FIPS
  tells https://cognito-idp-fips.eu-west-1.api.aws
  calls https://cognito-idp-fips.eu-west-1.api.aws/
us-gov-west-1 dual stack
  tells https://cognito-idp.us-gov-west-1.amazonaws.com
  calls https://cognito-idp.us-gov-west-1.api.aws/
us-gov-west-1 dual stack and FIPS
  tells https://cognito-idp-fips.us-gov-west-1.amazonaws.com
  calls https://cognito-idp-fips.us-gov-west-1.api.aws/
TEXT

env -i HOME="$here" "$here/venv/bin/python" "$here/program.py" >"$here/seen" 2>&1 || true
cat "$here/seen"
if ! diff "$here/expected" "$here/seen"; then
    echo "botocore now sends dual-stack calls to another address." >&2
    exit 1
fi
