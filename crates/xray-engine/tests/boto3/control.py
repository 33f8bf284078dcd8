"""Calls every operation of the control plane with boto3, AWS's own SDK for Python.

Usage: control.py ENDPOINT
The endpoint is that of an engine without groups, rules or traces of earlier runs, such as the example `serve` prints. The
Rust tests use AWS's SDK for Rust; this script shares no code with them, and boto3 sends and reads with the model itself.
"""

import datetime
import json
import secrets
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

EVERYTHING = {
    "ResourceARN": "*", "Host": "*", "ServiceName": "*", "ServiceType": "*", "HTTPMethod": "*", "URLPath": "*", "Version": 1,
}
# Operations of the model that are not of the control plane.
TRACES = {
    "BatchGetTraces", "GetServiceGraph", "GetTimeSeriesServiceStatistics", "GetTraceGraph", "GetTraceSummaries",
    "PutTelemetryRecords", "PutTraceSegments",
}


def refused(code, call, **parameters):
    """Asserts that a call fails with an error code, and returns the message."""
    try:
        call(**parameters)
    except ClientError as error:
        found = error.response["Error"]
        assert found["Code"] == code, found
        assert found["Message"], "an error has a message"
        return found["Message"]
    raise AssertionError(f"not refused: {parameters}")


def sent(segments):
    """Returns the documents of a trace without those that X-Ray inferred from calls."""
    documents = [segment["Document"] for segment in segments]
    return [document for document in documents if not json.loads(document).get("inferred")]


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def groups(xray):
    group = xray.create_group(
        GroupName="checkout", FilterExpression='annotation.tier = "gold"', Tags=[{"Key": "Stage", "Value": "test"}],
        InsightsConfiguration={"InsightsEnabled": True},
    )["Group"]
    arn = group["GroupARN"]
    assert arn.split(":")[:3] == ["arn", "aws", "xray"] and ":group/checkout/" in arn, arn
    assert group["InsightsConfiguration"] == {"InsightsEnabled": True, "NotificationsEnabled": False}
    group = xray.update_group(GroupARN=arn, FilterExpression='annotation.tier = "silver"')["Group"]
    assert xray.get_group(GroupName="checkout")["Group"] == group
    listed = xray.get_paginator("get_groups").paginate().build_full_result()["Groups"]
    assert [each["GroupName"] for each in listed] == ["Default", "checkout"], listed
    message = refused("InvalidRequestException", xray.create_group, GroupName="a", FilterExpression="annotation. =")
    assert message.startswith("FilterExpression is invalid"), message
    refused("InvalidRequestException", xray.create_group, GroupName="Default")
    refused("InvalidRequestException", xray.create_group, GroupName="checkout")
    refused("ValidationException", xray.get_group, GroupARN="x" * 401)

    xray.tag_resource(ResourceARN=arn, Tags=[{"Key": "Team", "Value": "a b@c"}])
    xray.untag_resource(ResourceARN=arn, TagKeys=["Stage"])
    assert xray.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "Team", "Value": "a b@c"}]
    many = [{"Key": str(number), "Value": ""} for number in range(51)]
    refused("TooManyTagsException", xray.tag_resource, ResourceARN=arn, Tags=many)
    xray.delete_group(GroupName="checkout")
    assert "Group not found" in refused("InvalidRequestException", xray.get_group, GroupARN=arn)
    refused("ResourceNotFoundException", xray.list_tags_for_resource, ResourceARN=arn)


def sampling_rules(xray):
    rule = {
        "RuleName": "checkout", "Priority": 100, "FixedRate": 0.25, "ReservoirSize": 10, **EVERYTHING,
        "Attributes": {"tier": "gold"}, "SamplingRateBoost": {"MaxRate": 0.5, "CooldownWindowMinutes": 5},
    }
    record = xray.create_sampling_rule(SamplingRule=rule, Tags=[{"Key": "a", "Value": "b"}])["SamplingRuleRecord"]
    arn = record["SamplingRule"].pop("RuleARN")
    assert arn.endswith(":sampling-rule/checkout"), arn
    assert record["SamplingRule"] == rule, record
    assert abs((record["CreatedAt"] - now()).total_seconds()) < 60
    assert xray.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
    update = {"RuleARN": arn, "FixedRate": 0.125}
    record = xray.update_sampling_rule(SamplingRuleUpdate=update)["SamplingRuleRecord"]
    assert record["SamplingRule"]["FixedRate"] == 0.125 and record["ModifiedAt"] > record["CreatedAt"]
    records = xray.get_paginator("get_sampling_rules").paginate().build_full_result()["SamplingRuleRecords"]
    assert [each["SamplingRule"]["RuleName"] for each in records] == ["Default", "checkout"]
    assert records[0]["SamplingRule"]["Priority"] == 10000 and records[0]["SamplingRule"]["Attributes"] == {}

    message = refused(
        "InvalidRequestException", xray.update_sampling_rule, SamplingRuleUpdate={"RuleName": "Default", "Priority": 5},
    )
    assert message.startswith("Invalid update request for default sampling rule"), message
    refused("InvalidRequestException", xray.delete_sampling_rule, RuleName="Default")
    refused("ValidationException", xray.create_sampling_rule, SamplingRule={**rule, "RuleName": "x" * 33})
    for number in range(24):
        xray.create_sampling_rule(SamplingRule={**rule, "RuleName": f"rule-{number}"})
    refused("RuleLimitExceededException", xray.create_sampling_rule, SamplingRule={**rule, "RuleName": "more"})
    for number in range(24):
        xray.delete_sampling_rule(RuleName=f"rule-{number}")


def sampling_targets(xray):
    clients = [secrets.token_hex(12) for _ in range(2)]
    report = {"Timestamp": now(), "RequestCount": 110, "SampledCount": 20, "BorrowCount": 10}
    reports = [{"RuleName": "checkout", "ClientID": client, **report} for client in clients]
    anomalies = {"ServiceName": "shop", "Timestamp": now(), "AnomalyCount": 3, "TotalCount": 50, "SampledAnomalyCount": 1}
    answer = xray.get_sampling_targets(
        SamplingStatisticsDocuments=[*reports, {**reports[0], "RuleName": "gone"}],
        SamplingBoostStatisticsDocuments=[{"RuleName": name, **anomalies} for name in ("checkout", "gone")],
    )
    first, second = answer["SamplingTargetDocuments"]
    assert (first["ReservoirQuota"], second["ReservoirQuota"]) == (10, 5), answer
    assert (first["FixedRate"], first["Interval"]) == (0.125, 10), first
    assert 290 < (first["ReservoirQuotaTTL"] - now()).total_seconds() <= 300
    assert first["SamplingBoost"]["BoostRate"] == 0.5, first
    assert 50 < (first["SamplingBoost"]["BoostRateTTL"] - now()).total_seconds() <= 60
    assert [each["ErrorCode"] for each in answer["UnprocessedStatistics"]] == ["404"], answer
    assert [each["RuleName"] for each in answer["UnprocessedBoostStatistics"]] == ["gone"], answer
    assert (now() - answer["LastRuleModification"]).total_seconds() < 60
    old = {**reports[0], "Timestamp": now() - datetime.timedelta(minutes=6)}
    answer = xray.get_sampling_targets(SamplingStatisticsDocuments=[old])
    assert answer["SamplingTargetDocuments"] == [] and answer["UnprocessedStatistics"][0]["ErrorCode"] == "400"
    refused("ValidationException", xray.get_sampling_targets, SamplingStatisticsDocuments=reports * 13)

    pages = xray.get_paginator("get_sampling_statistic_summaries").paginate()
    rows = pages.build_full_result()["SamplingStatisticSummaries"]
    assert sum(row["RequestCount"] for row in rows if row["RuleName"] == "checkout") == 220, rows
    assert all(row["Timestamp"].timestamp() % 10 == 0 for row in rows)
    xray.delete_sampling_rule(RuleName="checkout")
    refused("InvalidRequestException", xray.delete_sampling_rule, RuleName="checkout")


def indexing_rules(xray):
    [rule] = xray.get_indexing_rules()["IndexingRules"]
    assert rule["Name"] == "Default" and rule["Rule"]["Probabilistic"]["DesiredSamplingPercentage"] == 1, rule
    wanted = {"Probabilistic": {"DesiredSamplingPercentage": 10}}
    rule = xray.update_indexing_rule(Name="Default", Rule=wanted)["IndexingRule"]
    assert rule["Rule"]["Probabilistic"]["ActualSamplingPercentage"] == 10, rule
    refused("ResourceNotFoundException", xray.update_indexing_rule, Name="other", Rule=wanted)


def insights(xray):
    some_id = "12345678-1234-1234-8123-123456789012"
    hour = {"StartTime": now() - datetime.timedelta(hours=1), "EndTime": now()}
    assert xray.get_insight_summaries(GroupName="Default", **hour)["InsightSummaries"] == []
    assert "no such insight" in refused("InvalidRequestException", xray.get_insight, InsightId=some_id)
    refused("InvalidRequestException", xray.get_insight_events, InsightId=some_id)
    refused("InvalidRequestException", xray.get_insight_impact_graph, InsightId=some_id, **hour)
    refused("ValidationException", xray.get_insight, InsightId="not-an-id")


def retrieval(xray):
    start = time.time() - 60
    trace_id = f"1-{int(start):08x}-{secrets.token_hex(12)}"
    segment = {"name": "shop", "id": secrets.token_hex(8), "trace_id": trace_id, "start_time": start, "end_time": start + 2}
    call = {
        "name": "DynamoDB", "id": secrets.token_hex(8), "trace_id": trace_id, "parent_id": segment["id"],
        "type": "subsegment", "namespace": "aws", "start_time": start, "end_time": start + 1,
    }
    documents = [json.dumps(segment), json.dumps(call)]
    assert xray.put_trace_segments(TraceSegmentDocuments=documents)["UnprocessedTraceSegments"] == []
    hour = {"StartTime": now() - datetime.timedelta(hours=1), "EndTime": now()}
    token = xray.start_trace_retrieval(TraceIds=[trace_id], **hour)["RetrievalToken"]
    answer = xray.list_retrieved_traces(RetrievalToken=token, TraceFormat="XRAY")
    assert (answer["RetrievalStatus"], answer["TraceFormat"]) == ("COMPLETE", "XRAY"), answer
    [trace] = answer["Traces"]
    assert trace["Id"] == trace_id and sent(trace["Spans"]) == documents, trace
    services = [each["Service"] for each in xray.get_retrieved_traces_graph(RetrievalToken=token)["Services"]]
    assert [service["Name"] for service in services] == ["DynamoDB", "shop", "shop"], services
    assert services == xray.get_trace_graph(TraceIds=[trace_id])["Services"]
    refused("InvalidRequestException", xray.list_retrieved_traces, RetrievalToken=token, TraceFormat="OTEL")
    xray.cancel_trace_retrieval(RetrievalToken=token)
    assert xray.list_retrieved_traces(RetrievalToken=token)["RetrievalStatus"] == "CANCELLED"
    refused("ResourceNotFoundException", xray.cancel_trace_retrieval, RetrievalToken="unknown")


def settings(xray):
    destination = xray.get_trace_segment_destination()
    assert (destination["Destination"], destination["Status"]) == ("XRay", "ACTIVE"), destination
    xray.update_trace_segment_destination(Destination="CloudWatchLogs")
    message = refused("InvalidRequestException", xray.update_trace_segment_destination, Destination="CloudWatchLogs")
    assert message == "The destination is already set to CloudWatchLogs", message
    assert xray.update_trace_segment_destination(Destination="XRay")["Destination"] == "XRay"

    assert xray.get_encryption_config()["EncryptionConfig"] == {"Type": "NONE", "Status": "ACTIVE"}
    config = xray.put_encryption_config(Type="KMS", KeyId="alias/key")["EncryptionConfig"]
    assert config == {"Type": "KMS", "KeyId": "alias/key", "Status": "ACTIVE"}, config
    refused("InvalidRequestException", xray.put_encryption_config, Type="NONE", KeyId="alias/key")

    statement = {
        "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "xray:PutTraceSegments", "Resource": "*",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    policy = xray.put_resource_policy(PolicyName="sns", PolicyDocument=document)["ResourcePolicy"]
    assert (policy["PolicyRevisionId"], policy["PolicyDocument"]) == ("1", document), policy
    assert xray.list_resource_policies()["ResourcePolicies"] == [policy]
    stale = {"PolicyName": "sns", "PolicyRevisionId": "7"}
    refused("InvalidPolicyRevisionIdException", xray.put_resource_policy, PolicyDocument=document, **stale)
    refused("InvalidPolicyRevisionIdException", xray.delete_resource_policy, **stale)
    refused("MalformedPolicyDocumentException", xray.put_resource_policy, PolicyName="a", PolicyDocument="{")
    xray.delete_resource_policy(PolicyName="sns", PolicyRevisionId="1")
    assert xray.list_resource_policies()["ResourcePolicies"] == []


def main():
    xray = boto3.client(
        "xray", endpoint_url=sys.argv[1], region_name="eu-central-1", aws_access_key_id="local", aws_secret_access_key="local",
        # What is wrong must reach the server.
        config=Config(parameter_validation=False, retries={"max_attempts": 0}),
    )
    called = set()
    xray.meta.events.register("before-call.xray", lambda model, **_: called.add(model.name))
    for check in (groups, sampling_rules, sampling_targets, indexing_rules, insights, retrieval, settings):
        check(xray)
        print(f"{check.__name__}: ok")
    left_out = set(xray.meta.service_model.operation_names) - called - TRACES
    assert not left_out, f"not called: {left_out}"
    print(f"{len(called - TRACES)} operations called")


if __name__ == "__main__":
    main()
