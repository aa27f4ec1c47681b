#!/usr/bin/env bash
# @types/aws-lambda 8.10.164 with TypeScript 5.9.3: what a function may do with version 3 of the PreTokenGeneration event.
#
# Guess: the type of version 3 has the sources of version 2 and the one of machines; and claims may be lists and numbers in both
# versions, which is what version 2 was made for ("complex data types").
# Is: version 3 knows the source of machines alone, so a function that asks whether a person is signing in does not compile, though
# a trigger of V3_0 is called for people, too. And in both versions a claim is text. Nothing of this is checked when it runs.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"
npm install --silent --no-audit --no-fund @types/aws-lambda@8.10.164 typescript@5.9.3 >/dev/null

compiled() {
    cat >function.ts
    npx tsc --noEmit --strict --skipLibCheck --target es2022 --module nodenext function.ts >told || true
    echo "$1: $(grep -oE 'TS[0-9]+' told || echo compiles)"
}
asks() {
    compiled "$1, $2" <<TS
import type { PreTokenGeneration$1TriggerHandler } from "aws-lambda";
export const handler: PreTokenGeneration$1TriggerHandler = async (event) => {
  if (event.triggerSource === "TokenGeneration_$2") event.response = { claimsAndScopeOverrideDetails: {} };
  return event;
};
TS
}
adds() {
    compiled "$1, a claim $2" <<TS
import type { PreTokenGeneration$1TriggerHandler } from "aws-lambda";
export const handler: PreTokenGeneration$1TriggerHandler = async (event) => {
  const claimsToAddOrOverride = { claim: $2 };
  event.response = { claimsAndScopeOverrideDetails: { accessTokenGeneration: { claimsToAddOrOverride } } };
  return event;
};
TS
}
{
    for source in Authentication HostedAuth NewPasswordChallenge AuthenticateDevice RefreshTokens; do
        asks V2 "$source"
        asks V3 "$source"
    done
    asks V3 ClientCredentials
    for version in V2 V3; do
        for claim in '"a"' '["a"]' 5; do
            adds "$version" "$claim"
        done
    done
} >seen 2>&1 || true

cat >expected <<'TEXT'
V2, Authentication: compiles
V3, Authentication: TS2367
V2, HostedAuth: compiles
V3, HostedAuth: TS2367
V2, NewPasswordChallenge: compiles
V3, NewPasswordChallenge: TS2367
V2, AuthenticateDevice: compiles
V3, AuthenticateDevice: TS2367
V2, RefreshTokens: compiles
V3, RefreshTokens: TS2367
V3, ClientCredentials: compiles
V2, a claim "a": compiles
V2, a claim ["a"]: TS2322
V2, a claim 5: TS2322
V3, a claim "a": compiles
V3, a claim ["a"]: TS2322
V3, a claim 5: TS2322
TEXT

cat seen
if ! diff expected seen; then
    echo "The types of a token's event now allow something else." >&2
    exit 1
fi
