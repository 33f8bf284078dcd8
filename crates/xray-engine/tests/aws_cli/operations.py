"""Calls every operation of X-Ray with the AWS CLI, as an engineer on call does.

Usage: with_engine.py SERVE operations.py
The commands run in this process, since starting Python for each would take longer than everything else. What they print is
read as JSON; the other scripts look at the answers more closely.
"""

import contextlib
import io
import json
import secrets
import time

from awscli.clidriver import create_clidriver

NOW = int(time.time())
RANGE = ["--start-time", str(NOW - 600), "--end-time", str(NOW + 60)]
TRACE = f"1-{NOW:08x}-{secrets.token_hex(12)}"
RULE = {
    "RuleName": "vouchers", "Priority": 10, "FixedRate": 0.5, "ReservoirSize": 1, "Version": 1, "ResourceARN": "*",
    "ServiceName": "*", "ServiceType": "*", "Host": "*", "HTTPMethod": "*", "URLPath": "*",
}
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "xray:*", "Resource": "*"}]}

driver = create_clidriver()
called = set()


def aws(command, *arguments, fails=False):
    """Runs a command, and returns what it prints."""
    called.add(command)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = driver.main(["xray", command, *arguments, "--output", "json"])
    assert (status != 0) == fails, f"aws xray {command}: {status}: {err.getvalue()}"
    return err.getvalue() if fails else json.loads(out.getvalue() or "{}")


def traces():
    segment = {
        "trace_id": TRACE, "id": secrets.token_hex(8), "name": "ingest", "start_time": NOW - 2, "end_time": NOW - 1,
        "http": {"request": {"method": "POST", "url": "http://localhost/v1/events"}, "response": {"status": 202}},
        "annotations": {"event_type": "CustomerRenamed"},
    }
    put = aws("put-trace-segments", "--trace-segment-documents", json.dumps(segment))
    assert put["UnprocessedTraceSegments"] == [], put
    aws("put-telemetry-records", "--telemetry-records", json.dumps([{"Timestamp": NOW}]))
    found = aws("get-trace-summaries", *RANGE, "--filter-expression", 'annotation.event_type = "CustomerRenamed" AND ok')
    assert [summary["Id"] for summary in found["TraceSummaries"]] == [TRACE], found
    refusal = aws("get-trace-summaries", *RANGE, "--filter-expression", "responsetme > 1", fails=True)
    assert "responsetime" in refusal, refusal
    assert aws("batch-get-traces", "--trace-ids", TRACE)["Traces"][0]["Id"] == TRACE
    assert [node["Name"] for node in aws("get-trace-graph", "--trace-ids", TRACE)["Services"]] == ["ingest", "ingest"]
    assert len(aws("get-service-graph", *RANGE)["Services"]) == 2
    series = aws("get-time-series-service-statistics", *RANGE, "--period", "60")["TimeSeriesServiceStatistics"]
    assert sum(period["EdgeSummaryStatistics"]["TotalCount"] for period in series) == 1, series


def groups():
    group = aws("create-group", "--group-name", "renamed", "--filter-expression", "ok")["Group"]
    aws("update-group", "--group-name", "renamed", "--filter-expression", "!ok")
    assert aws("get-group", "--group-name", "renamed")["Group"]["FilterExpression"] == "!ok"
    assert [each["GroupName"] for each in aws("get-groups")["Groups"]] == ["Default", "renamed"]
    arn = ["--resource-arn", group["GroupARN"]]
    aws("tag-resource", *arn, "--tags", "Key=Stage,Value=test")
    assert aws("list-tags-for-resource", *arn)["Tags"] == [{"Key": "Stage", "Value": "test"}]
    aws("untag-resource", *arn, "--tag-keys", "Stage")
    aws("delete-group", "--group-name", "renamed")


def sampling():
    aws("create-sampling-rule", "--sampling-rule", json.dumps(RULE))
    aws("update-sampling-rule", "--sampling-rule-update", json.dumps({"RuleName": "vouchers", "FixedRate": 0.25}))
    rules = [record["SamplingRule"] for record in aws("get-sampling-rules")["SamplingRuleRecords"]]
    assert {rule["RuleName"]: rule["FixedRate"] for rule in rules} == {"vouchers": 0.25, "Default": 0.05}, rules
    report = {
        "RuleName": "vouchers", "ClientID": secrets.token_hex(12), "Timestamp": NOW,
        "RequestCount": 4, "SampledCount": 1, "BorrowCount": 1,
    }
    targets = aws("get-sampling-targets", "--sampling-statistics-documents", json.dumps([report]))
    assert targets["SamplingTargetDocuments"][0]["FixedRate"] == 0.25, targets
    summaries = aws("get-sampling-statistic-summaries")["SamplingStatisticSummaries"]
    assert [summary["RequestCount"] for summary in summaries] == [4], summaries
    aws("delete-sampling-rule", "--rule-name", "vouchers")
    aws("get-indexing-rules")
    rule = {"Probabilistic": {"DesiredSamplingPercentage": 10.0}}
    aws("update-indexing-rule", "--name", "Default", "--rule", json.dumps(rule))


def account():
    aws("put-encryption-config", "--type", "NONE")
    assert aws("get-encryption-config")["EncryptionConfig"]["Type"] == "NONE"
    aws("put-resource-policy", "--policy-name", "all", "--policy-document", json.dumps(POLICY))
    assert [policy["PolicyName"] for policy in aws("list-resource-policies")["ResourcePolicies"]] == ["all"]
    aws("delete-resource-policy", "--policy-name", "all")
    aws("update-trace-segment-destination", "--destination", "CloudWatchLogs")
    assert aws("get-trace-segment-destination")["Destination"] == "CloudWatchLogs"


def insights():
    assert aws("get-insight-summaries", "--group-name", "Default", *RANGE)["InsightSummaries"] == []
    unknown = ["--insight-id", "5f0cc5f8-9d6e-4d44-8d6a-7e2f0a0c2d11"]
    for command, more in [("get-insight", []), ("get-insight-events", []), ("get-insight-impact-graph", RANGE)]:
        aws(command, *unknown, *more, fails=True)


def retrieval():
    token = ["--retrieval-token", aws("start-trace-retrieval", "--trace-ids", TRACE, *RANGE)["RetrievalToken"]]
    assert [trace["Id"] for trace in aws("list-retrieved-traces", *token)["Traces"]] == [TRACE]
    assert len(aws("get-retrieved-traces-graph", *token)["Services"]) == 2
    aws("cancel-trace-retrieval", *token)


def main():
    for calls in [traces, groups, sampling, account, insights, retrieval]:
        calls()
    known = set(driver.session.get_service_model("xray").operation_names)
    missing = {name for name in known if name.lower() not in {command.replace("-", "") for command in called}}
    assert not missing, f"not called: {missing}"
    print(f"{len(called)} operations by the AWS CLI")


if __name__ == "__main__":
    main()
