#!/usr/bin/env bash
# aws-cdk-lib 2.275.0: functions attached to a user pool with `UserPool.addTrigger`.
#
# Guess: a second function for one trigger is refused, and so is a word that is no trigger's.
# Is: the second function is refused for every trigger but PreTokenGeneration. There `PRE_TOKEN_GENERATION` and
# `PRE_TOKEN_GENERATION_CONFIG` count as two, and the template names two functions, where the API wants one ARN in both places. A
# misspelt word in `UserPoolOperation.of` is dropped without a word: the pool has no trigger, while the permission to call the
# function is in the template.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"
npm install --silent --no-audit --no-fund aws-cdk-lib@2.275.0 constructs@10.8.1 >/dev/null

cat >program.js <<'JS'
const { App, Stack, aws_cognito: cognito, aws_lambda: lambda, assertions } = require("aws-cdk-lib");
const { UserPoolOperation: Operation, LambdaVersion } = cognito;

function shown(words, ...triggers) {
  const stack = new Stack(new App({ outdir: "made" }), "Stack");
  const pool = new cognito.UserPool(stack, "Pool");
  try {
    triggers.forEach(([operation, version], count) => {
      const code = lambda.Code.fromInline("exports.handler = async (event) => event;");
      const settings = { runtime: lambda.Runtime.NODEJS_22_X, handler: "index.handler", code };
      pool.addTrigger(operation, new lambda.Function(stack, `F${count}`, settings), version);
    });
    const template = assertions.Template.fromStack(stack);
    const of = (type) => Object.values(template.findResources(type)).map((one) => one.Properties);
    const config = of("AWS::Cognito::UserPool")[0].LambdaConfig;
    const names = JSON.stringify(config, (_, value) => (value && value["Fn::GetAtt"] ? value["Fn::GetAtt"][0].slice(0, 2) : value));
    console.log(`${words}: ${names}, permissions: ${of("AWS::Lambda::Permission").length}`);
  } catch (error) {
    console.log(`${words}: ${/already exists/.exec(error.message)?.[0] ?? error.message}`);
  }
}

shown("PRE_SIGN_UP twice", [Operation.PRE_SIGN_UP], [Operation.PRE_SIGN_UP]);
shown("both of PreTokenGeneration", [Operation.PRE_TOKEN_GENERATION], [Operation.PRE_TOKEN_GENERATION_CONFIG, LambdaVersion.V2_0]);
shown("preSignUp", [Operation.of("preSignUp")]);
shown("preSignup", [Operation.of("preSignup")]);
JS
cat >expected <<'TEXT'
PRE_SIGN_UP twice: already exists
both of PreTokenGeneration: {"PreTokenGeneration":"F0","PreTokenGenerationConfig":{"LambdaArn":"F1","LambdaVersion":"V2_0"}}, permissions: 2
preSignUp: {"PreSignUp":"F0"}, permissions: 1
preSignup: {}, permissions: 1
TEXT

node program.js >seen 2>&1 || true
cat seen
if ! diff expected seen; then
    echo "The CDK now attaches functions to user pools otherwise." >&2
    exit 1
fi
