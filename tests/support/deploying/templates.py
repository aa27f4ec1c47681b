"""The templates of deploy/ as CloudFormation reads them: parameters, conditions and functions resolved to values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[3] / "deploy"
ACCOUNT = "123456789012"
OLD, NEW = "us-east-1_OldPool01", "us-east-1_NewPool01"
_NOTHING = object()
_WHOLE = {"Ref", "Condition"}


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms, such as !Ref."""


def _long_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in _WHOLE else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        text = loader.construct_scalar(node)
        return {name: text.split(".", 1) if suffix == "GetAtt" else text}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _long_form)


def template(name: str) -> dict[str, Any]:
    """A template as it stands, short forms made long."""
    document = yaml.load((DEPLOY / name).read_text(encoding="utf-8"), _Loader)  # noqa: S506 -- a SafeLoader
    assert isinstance(document, dict)
    return document


class Stack:
    """A template with values for its parameters, in an account and Region."""

    def __init__(
        self,
        name: str,
        parameters: Mapping[str, str],
        *,
        stack_name: str = "migration",
        account: str = ACCOUNT,
        region: str = "us-east-1",
        imports: Mapping[str, str] | None = None,
    ) -> None:
        self.template = template(name)
        self._imports = imports or {}
        declared = self.template["Parameters"]
        assert set(parameters) <= set(declared), "not a parameter of the template"
        defaults = {key: str(one["Default"]) for key, one in declared.items() if "Default" in one}
        lists = {key for key, one in declared.items() if one["Type"] == "CommaDelimitedList"}
        given = {**defaults, **parameters}
        self.values: dict[str, Any] = {
            **{key: value.split(",") if key in lists else value for key, value in given.items()},
            "AWS::AccountId": account,
            "AWS::Region": region,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": stack_name,
        }
        assert set(declared) <= set(self.values), "a parameter has no value"

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of the resources of a type that the stack would have."""
        found = self.template["Resources"]
        return {
            name: self.resolve(one.get("Properties", {}))
            for name, one in found.items()
            if one["Type"] == kind and ("Condition" not in one or self.holds(one["Condition"]))
        }

    def outputs(self) -> dict[str, str]:
        """The values of the outputs that the stack would have."""
        found = self.template["Outputs"]
        return {
            name: self.resolve(one["Value"])
            for name, one in found.items()
            if "Condition" not in one or self.holds(one["Condition"])
        }

    def exports(self) -> dict[str, str]:
        """What other stacks may import."""
        exported = {name: one["Export"]["Name"] for name, one in self.template["Outputs"].items() if "Export" in one}
        values = self.outputs()
        return {self.resolve(exported[name]): value for name, value in values.items() if name in exported}

    def policies(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The policies of the stack's roles, by the role's and the policy's name."""
        for name, role in self.resources("AWS::IAM::Role").items():
            for policy in role.get("Policies", ()):
                yield f"{name}/{policy['PolicyName']}", policy["PolicyDocument"]

    def holds(self, condition: str) -> bool:
        """Whether a condition of the template holds."""
        return bool(self.resolve(self.template["Conditions"][condition]))

    def resolve(self, node: Any) -> Any:
        """A part of the template, as CloudFormation would have it."""
        if isinstance(node, list):
            return [value for one in node if (value := self.resolve(one)) is not _NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((name, given),) = node.items()
            if name in _WHOLE or name.startswith("Fn::"):
                return self._called(name.removeprefix("Fn::"), given)
        resolved = {key: self.resolve(value) for key, value in node.items()}
        return {key: value for key, value in resolved.items() if value is not _NOTHING}

    def _called(self, name: str, given: Any) -> Any:  # noqa: PLR0911 -- a function each
        match name, given:
            case "Ref", "AWS::NoValue":
                return _NOTHING
            case "Ref", str():
                return self.values[given] if given in self.values else self._made(given, "Ref")
            case "Condition", str():
                return self.holds(given)
            case "GetAtt", [resource, attribute]:
                return self._made(resource, attribute)
            case "Sub", [str(text), dict(more)]:
                return self._filled(text, self.resolve(more))
            case "Sub", str():
                return self._filled(given, {})
            case "If", [condition, yes, no]:
                return self.resolve(yes if self.holds(condition) else no)
            case "ImportValue", _:
                return self._imports[self.resolve(given)]
            case _:
                return _PURE[name](self.resolve(given))

    def _filled(self, text: str, more: Mapping[str, str]) -> str:
        def value(found: re.Match[str]) -> str:
            name, _, attribute = found[1].partition(".")
            if name in more:
                return str(more[name])
            return str(self._called("GetAtt", [name, attribute]) if attribute else self._called("Ref", name))

        return re.sub(r"\$\{([^!}]+)\}", value, text)

    def _made(self, resource: str, attribute: str) -> str:
        """What a resource would be called by."""
        kind = self.template["Resources"][resource]["Type"]
        given = self.resolve(self.template["Resources"][resource].get("Properties", {}))
        stack, account, region = (self.values[f"AWS::{name}"] for name in ("StackName", "AccountId", "Region"))
        own = next((given[key] for key in _NAMES if key in given), f"{stack}-{resource}")
        if attribute == "Ref" and kind not in _REF_IS_ARN:
            return str(own)
        if attribute not in {"Ref", "Arn"}:
            return f"{own}-{attribute}"
        service, before, after = _ARNS.get(kind, (kind.split("::")[1].lower(), f"{resource.lower()}/", ""))
        if service == "s3":
            return f"arn:aws:s3:::{own}"
        return f"arn:aws:{service}:{'' if service == 'iam' else region}:{account}:{before}{own}{after}"


_NAMES = ("FunctionName", "RoleName", "LogGroupName", "TableName")
_REF_IS_ARN = {"AWS::SecretsManager::Secret", "AWS::ECS::TaskDefinition", "AWS::StepFunctions::StateMachine"}
_ARNS = {
    "AWS::S3::Bucket": ("s3", "", ""),
    "AWS::IAM::Role": ("iam", "role/", ""),
    "AWS::Lambda::Function": ("lambda", "function:", ""),
    "AWS::Logs::LogGroup": ("logs", "log-group:", ":*"),
    "AWS::SecretsManager::Secret": ("secretsmanager", "secret:", "-AbCdEf"),
    "AWS::ECS::Cluster": ("ecs", "cluster/", ""),
    "AWS::ECS::TaskDefinition": ("ecs", "task-definition/", ":1"),
    "AWS::EFS::FileSystem": ("elasticfilesystem", "file-system/", ""),
    "AWS::EFS::AccessPoint": ("elasticfilesystem", "access-point/", ""),
    "AWS::StepFunctions::StateMachine": ("states", "stateMachine:", ""),
}
_PURE: dict[str, Any] = {
    "Equals": lambda pair: pair[0] == pair[1],
    "Not": lambda one: not one[0],
    "And": all,
    "Or": any,
    "Select": lambda pair: pair[1][int(pair[0])],
    "Split": lambda pair: pair[1].split(pair[0]),
    "Join": lambda pair: pair[0].join(pair[1]),
}


def stack(**parameters: str) -> Stack:
    """The trigger's stack."""
    given = {
        "PackageBucket": "packages",
        "PackageKey": "trigger.zip",
        "SourceUserPoolId": OLD,
        "SourceClientId": "4k2vexample1h6c1b0pq9m3rtd",
        "TargetUserPoolId": NEW,
        "AlarmTopic": f"arn:aws:sns:us-east-1:{ACCOUNT}:alarms",
    }
    return Stack("trigger.yaml", given | parameters)
