"""What deploy/trigger.yaml shows and tells of the functions: alarms, dashboard, logs."""

from __future__ import annotations

import json

from templates import ACCOUNT, NEW, stack

from trigger import log
from trigger.outcome import Outcome


def written_metrics() -> set[tuple[str, str, frozenset[str]]]:
    """The metrics that the functions write: namespace, name, dimensions."""
    lines = [
        log.line(
            "TokenGeneration_Authentication", Outcome(what, "why", owed=1), pool_id=NEW, seconds=1, old_pool_seconds=1
        )
        for what in ("captured", "refused", "fault")
    ]
    return {
        (one["Namespace"], metric["Name"], frozenset(dimensions))
        for line in lines
        for one in json.loads(line)["_aws"]["CloudWatchMetrics"]
        for metric in one["Metrics"]
        for dimensions in one["Dimensions"]
    }


def test_alarms_are_on_metrics_that_exist():
    """Each alarm is on a metric that the functions write, or that Lambda has of one of them; all tell the topic."""
    made = stack()
    names = {one["FunctionName"] for one in made.resources("AWS::Lambda::Function").values()}
    ours = set()
    for alarm in made.resources("AWS::CloudWatch::Alarm").values():
        stats = [one["MetricStat"]["Metric"] for one in alarm.get("Metrics", ()) if "MetricStat" in one]
        for metric in stats or [alarm]:
            dimensions = {one["Name"]: one["Value"] for one in metric["Dimensions"]}
            if metric["Namespace"] == "AWS/Lambda":
                assert metric["MetricName"] in {"Errors", "Throttles", "Duration", "Invocations"}
                assert dimensions["FunctionName"] in names
            else:
                assert (metric["Namespace"], metric["MetricName"], frozenset(dimensions)) in written_metrics()
                assert dimensions == {"TargetPool": NEW}
                ours.add(metric["MetricName"])
        assert alarm["AlarmActions"] == [f"arn:aws:sns:us-east-1:{ACCOUNT}:alarms"]
        assert alarm["TreatMissingData"] == "notBreaching"
    assert ours == {"Faults", "Refused", "OldPoolLatency"}


def test_the_dashboard_shows_what_is_written():
    """The dashboard is JSON, every metric of ours in it is one that the functions write, and all of them are in it."""
    (dashboard,) = stack().resources("AWS::CloudWatch::Dashboard").values()
    rows = [row for one in json.loads(dashboard["DashboardBody"])["widgets"] for row in one["properties"]["metrics"]]
    shown = {row[1] for row in rows if row[0] == "CognitoMigrate"}
    assert shown == {name for _, name, _ in written_metrics()}
    assert all(row[2:4] == ["TargetPool", NEW] for row in rows if row[0] == "CognitoMigrate")


def test_logs_end():
    """Each function has a log group of its own, kept for the days that are given."""
    made = stack(LogDays="30")
    groups = {one["LogGroupName"]: one["RetentionInDays"] for one in made.resources("AWS::Logs::LogGroup").values()}
    used = {one["LoggingConfig"]["LogGroup"] for one in made.resources("AWS::Lambda::Function").values()}
    assert groups == dict.fromkeys(used, "30")


def test_what_lambda_adds_to_the_logs_is_json_as_well():
    """Each function's log is JSON throughout: a refusal by an error leaves no traceback of several lines."""
    functions = stack().resources("AWS::Lambda::Function").values()
    assert {one["LoggingConfig"]["LogFormat"] for one in functions} == {"JSON"}
