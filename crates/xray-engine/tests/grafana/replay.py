"""Replays the calls of Grafana's X-Ray data source with AWS's SDK for Python, and takes the answers apart as it does.

Usage: replay.py, run by with_engine.py.

The data source itself is not run: it is published neither as a Go module nor as a package. These are the calls of its back
end (pkg/datasource of https://github.com/grafana/x-ray-datasource, read in 2026), query type by query type, with the
parameters it sends. What its Go code dereferences without a check is subscripted here, so that a field that would make it
panic makes a KeyError; what it checks is read by `get`. Its queries of Application Signals are not of X-Ray.
"""

import concurrent.futures
import datetime
import json
import secrets

import boto3
from botocore.config import Config

MINUTE = datetime.timedelta(minutes=1)
MAX_TRACES = 10_000
COLUMNS = (
    "ErrorStatistics.ThrottleCount", "ErrorStatistics.TotalCount", "FaultStatistics.TotalCount", "OkCount", "TotalCount",
)


class DataSource:
    """The data source's queries over a range of time. Each returns what a panel shows."""

    def __init__(self, xray, start, end):
        self.xray = xray
        self.range = {"StartTime": start, "EndTime": end}

    def pages(self, operation, **parameters):
        yield from self.xray.get_paginator(operation).paginate(**parameters)

    def check_health(self):
        return self.xray.get_groups()["Groups"]

    def groups(self):
        return [group for page in self.pages("get_groups") for group in page["Groups"]]

    def accounts(self, group):
        services = self.service_map(group)
        return [service["AccountId"] for service in services if "AccountId" in service]

    def trace_list(self, query=""):
        """Stops after 1,000, as the X-Ray console does."""
        rows = []
        for page in self.pages("get_trace_summaries", **self.range, **({"FilterExpression": query} if query else {})):
            for summary in page["TraceSummaries"]:
                http = summary["Http"]
                annotations = sum(len(values) for values in summary.get("Annotations", {}).values())
                row = (http.get("HttpMethod"), http.get("HttpStatus"), http.get("HttpURL"), http.get("ClientIp"))
                rows.append((summary["Id"], *row, summary.get("Duration"), annotations))
            if len(rows) >= 1000:
                break
        return rows

    def trace(self, trace_id):
        """Takes W3C's form of an id, too. Of several traces, shows the first."""
        if len(trace_id) == 32 and "-" not in trace_id:
            trace_id = f"1-{trace_id[:8]}-{trace_id[8:]}"
        with concurrent.futures.ThreadPoolExecutor() as both:
            traces = both.submit(self.xray.batch_get_traces, TraceIds=[trace_id])
            graph = both.submit(lambda: list(self.pages("get_trace_graph", TraceIds=[trace_id])))
            traces, graph = traces.result()["Traces"], graph.result()
        trace = traces[0]
        documents = [json.loads(segment["Document"]) for segment in trace["Segments"]]
        return trace["Id"], documents, [service for page in graph for service in page["Services"]]

    def time_series(self, query="", resolution=0):
        """Shows a series for each column, and the average response time. An empty expression must not be sent."""
        parameters = {"Period": resolution or 60, **({"EntitySelectorExpression": query} if query else {})}
        rows = []
        for page in self.pages("get_time_series_service_statistics", **self.range, **parameters):
            for period in page["TimeSeriesServiceStatistics"]:
                statistics = period.get("EdgeSummaryStatistics") or period.get("ServiceSummaryStatistics")
                values = {}
                for column in COLUMNS:
                    value = statistics
                    for part in column.split("."):
                        value = value[part]
                    values[column] = value
                values["AverageResponseTime"] = statistics["TotalResponseTime"] / statistics["TotalCount"]
                rows.append((period["Timestamp"], values))
        return rows

    def analytics(self, key, query="", group=None):
        """Counts traces by what a function reads of each. Four quarters are read at a time, page by page."""
        rate = 1.0
        if not query:
            count = self.count(group)
            rate = min(MAX_TRACES / count, 1) if count else 1.0
        start, end = self.range["StartTime"], self.range["EndTime"]
        quarter = (end - start) / 4

        def read(number):
            parameters = {
                "StartTime": start + number * quarter, "EndTime": start + (number + 1) * quarter, "TimeRangeType": "Event",
                "Sampling": True, "SamplingStrategy": {"Name": "FixedRate", "Value": rate},
                **({"FilterExpression": query} if query else {}),
            }
            return [trace for page in self.pages("get_trace_summaries", **parameters) for trace in page["TraceSummaries"]]

        counts = {}
        with concurrent.futures.ThreadPoolExecutor(4) as quarters:
            for traces in quarters.map(read, range(4)):
                for trace in traces:
                    for name in key(trace) or ["-"]:
                        counts[name] = counts.get(name, 0) + 1
        return counts

    def count(self, group):
        total = 0
        parameters = {"Period": 60, **({"GroupName": group} if group else {})}
        for page in self.pages("get_time_series_service_statistics", **self.range, **parameters):
            for period in page["TimeSeriesServiceStatistics"]:
                statistics = period.get("ServiceSummaryStatistics") or period.get("EdgeSummaryStatistics")
                total += statistics["TotalCount"] if statistics else 0
        return total

    def insights(self, group, state=None):
        rows = []
        groups = [each["GroupName"] for each in self.groups()] if group == "All" else [group]
        for name in groups:
            states = {"States": [state.upper()]} if state else {}
            answer = self.xray.get_insight_summaries(**self.range, GroupName=name, **states)
            for insight in answer["InsightSummaries"]:
                description = insight["Summary"].split(".")[1]
                cause, anomalous = insight["RootCauseServiceId"], insight["TopAnomalousServices"][0]["ServiceId"]
                lasted = insight["EndTime"] - insight["StartTime"]
                rows.append((insight["InsightId"], description, lasted, cause.get("Name"), anomalous.get("Name")))
        return rows

    def service_map(self, group):
        return [service for page in self.pages("get_service_graph", **self.range, GroupName=group) for service in page["Services"]]


def named(service):
    return f"{service['Name']} ({service['Type']})"


def by_service(causes):
    return lambda trace: [named(cause["Services"][-1]) for cause in trace[causes]]


def by_response_time_path(trace):
    def path(service):
        assert service["EntityPath"], "the first entity is cut off"
        return " -> ".join([named(service), *(entity["Name"] for entity in service["EntityPath"][1:])])

    return [" => ".join(map(path, cause["Services"])) for cause in trace["ResponseTimeRootCauses"]]


def by_exception_path(causes):
    def path(service):
        exceptions = [exception["Name"] for entity in service["EntityPath"] for exception in entity["Exceptions"]]
        return " -> ".join([named(service), *exceptions])

    return lambda trace: [" => ".join(map(path, cause["Services"])) for cause in trace[causes]]


def by_message(causes):
    def message(cause):
        entities = (entity for service in cause["Services"] for entity in service["EntityPath"])
        messages = (exception.get("Message") for entity in entities for exception in entity["Exceptions"])
        return next((message for message in messages if message), "-")

    return lambda trace: [message(cause) for cause in trace[causes]]


def field(name):
    return lambda trace: [str(trace["Http"][name])] if name in trace["Http"] else []


# The eleven kinds of trace analytics.
ANALYTICS = {
    "rootCauseResponseTimeService": by_service("ResponseTimeRootCauses"),
    "rootCauseResponseTimePath": by_response_time_path,
    "rootCauseErrorService": by_service("ErrorRootCauses"),
    "rootCauseErrorPath": by_exception_path("ErrorRootCauses"),
    "rootCauseErrorMessage": by_message("ErrorRootCauses"),
    "rootCauseFaultService": by_service("FaultRootCauses"),
    "rootCauseFaultPath": by_exception_path("FaultRootCauses"),
    "rootCauseFaultMessage": by_message("FaultRootCauses"),
    "url": field("HttpURL"),
    "user": lambda trace: [user["UserName"] for user in trace["Users"] if user.get("UserName")],
    "statusCode": field("HttpStatus"),
}


def put(xray, start, *segments):
    """Puts traces of one segment each that begin at `start`, and returns the id of the last."""
    begin = start.timestamp()
    documents = []
    for segment in segments:
        trace_id, document = traced(begin, segment)
        documents.append(document)
    assert xray.put_trace_segments(TraceSegmentDocuments=documents)["UnprocessedTraceSegments"] == []
    return trace_id


def traced(begin, segment):
    """Returns the id of a new trace and the document of its segment."""
    trace_id = f"1-{int(begin):08x}-{secrets.token_hex(12)}"

    def placed(document):
        times = {time: begin + document[time] for time in ("start_time", "end_time")}
        document = {"id": secrets.token_hex(8), **document, **times}
        if "subsegments" in document:
            document["subsegments"] = [placed(each) for each in document["subsegments"]]
        return document

    return trace_id, json.dumps({**placed(segment), "trace_id": trace_id})


def failed(kind, message):
    return {"cause": {"exceptions": [{"id": secrets.token_hex(8), "type": kind, "message": message}]}}


def put_traces(xray, start):
    """Puts what the panels must show: an answer, a failure downstream, a refusal, and what says hardly anything."""
    origin = {"origin": "AWS::ECS::Fargate", "aws": {"account_id": "111122223333"}}
    slow = {"name": "DynamoDB", "namespace": "aws", "start_time": 0.1, "end_time": 0.9, "aws": {"table_name": "orders"}}
    http = {"request": {"url": "https://shop.example.com/", "method": "GET", "client_ip": "192.0.2.7"}, "response": {"status": 200}}
    answer = put(xray, start, {
        "name": "shop", "start_time": 0, "end_time": 1, "http": http, "user": "alice", "annotations": {"a": 1, "b": "x"},
        "subsegments": [slow], **origin,
    })
    put(xray, start + MINUTE, {
        "name": "shop", "start_time": 0, "end_time": 0.5, "fault": True, "http": {**http, "response": {"status": 502}}, **origin,
        "subsegments": [{**slow, "end_time": 0.2, "fault": True, **failed("Timeout", "no answer")}],
    })
    put(xray, start + 2 * MINUTE, {
        "name": "shop", "start_time": 0, "end_time": 0.5, "error": True, "http": {**http, "response": {"status": 404}}, **origin,
        **failed("NotFound", "no such order"),
    })
    # No origin, no request, no exception, no answer that took time.
    put(xray, start + 3 * MINUTE, {"name": "bare", "start_time": 0, "end_time": 0, "fault": True})
    put(xray, start + 3 * MINUTE, {"name": "bare", "start_time": 0, "end_time": 1})
    return answer


def check_lists(source, answer):
    assert [group["GroupName"] for group in source.check_health()] == ["Default"]
    assert all("GroupARN" in group for group in source.groups())
    assert len(source.trace_list()) == 5
    [row] = source.trace_list('user = "alice"')
    assert row == (answer, "GET", 200, "https://shop.example.com/", "192.0.2.7", 1.0, 2), row
    bare = [row for row in source.trace_list('service("bare")')]
    assert [row[1:5] for row in bare] == [(None,) * 4] * 2, bare
    assert set(source.accounts("Default")) == {"111122223333"}
    assert {service["Name"] for service in source.service_map("Default")} == {"shop", "orders", "bare"}


def check_trace(source, answer):
    for form in (answer, answer.replace("-", "")[1:]):
        trace_id, documents, services = source.trace(form)
        assert trace_id == answer
        [shop] = [document for document in documents if document["name"] == "shop"]
        assert {"id", "start_time", "end_time", "origin", "http", "aws", "subsegments"} <= set(shop), shop
        assert {service["Type"] for service in services} == {"client", "AWS::ECS::Fargate", "AWS::DynamoDB::Table"}, services
        assert all("ReferenceId" in service and "Edges" in service for service in services)


def check_time_series(source):
    rows = source.time_series()
    assert [values["TotalCount"] for _, values in rows] == [1, 1, 1, 2], rows
    assert rows[0][1]["AverageResponseTime"] == 1 and rows[1][1]["FaultStatistics.TotalCount"] == 1, rows
    assert sum(values["TotalCount"] for _, values in source.time_series('service("shop")', 300)) == 3
    [(_, calls)] = source.time_series('edge("shop", id(type: "AWS::DynamoDB::Table")) { fault }')
    assert calls["FaultStatistics.TotalCount"] == 1, calls


def check_analytics(source):
    fargate, table, bare = "shop (AWS::ECS::Fargate)", "orders (AWS::DynamoDB::Table)", "bare (unknown)"
    expected = {
        "rootCauseResponseTimeService": {table: 1, fargate: 2, bare: 1, "-": 1},
        "rootCauseResponseTimePath": {f"{fargate} -> DynamoDB => {table}": 1, fargate: 2, bare: 1, "-": 1},
        "rootCauseErrorService": {fargate: 1, "-": 4},
        "rootCauseErrorPath": {f"{fargate} -> NotFound": 1, "-": 4},
        "rootCauseErrorMessage": {"no such order": 1, "-": 4},
        "rootCauseFaultService": {table: 1, bare: 1, "-": 3},
        "rootCauseFaultPath": {f"{fargate} -> Timeout => {table} -> Timeout": 1, bare: 1, "-": 3},
        "rootCauseFaultMessage": {"no answer": 1, "-": 4},
        "url": {"https://shop.example.com/": 3, "-": 2},
        "user": {"alice": 1, "-": 4},
        "statusCode": {"200": 1, "502": 1, "404": 1, "-": 2},
    }
    assert set(expected) == set(ANALYTICS)
    for kind, counts in expected.items():
        for query, group in (("", None), ("", "Default"), ('service("shop") OR service("bare")', None)):
            found = source.analytics(ANALYTICS[kind], query, group)
            assert found == counts, f"{kind} {query}: {found}"
    assert source.analytics(ANALYTICS["statusCode"], "fault") == {"502": 1, "-": 1}


def check_paging(xray, source, start):
    """More traces than a page has, and than the trace list shows."""
    segment = {"name": "many", "start_time": 0, "end_time": 0.1}
    for _ in range(24):
        put(xray, start + 4 * MINUTE, *[segment] * 50)
    assert 1000 <= len({row[0] for row in source.trace_list('service("many")')}) < 1200
    assert source.analytics(ANALYTICS["url"], 'service("many")') == {"-": 1200}
    assert sum(values["TotalCount"] for _, values in source.time_series('service("many")')) == 1200


def main():
    # As Grafana's SDK, boto3 would refuse some parameters itself.
    xray = boto3.client("xray", config=Config(parameter_validation=False))
    now = datetime.datetime.now(datetime.timezone.utc)
    start = now - 10 * MINUTE
    start -= datetime.timedelta(seconds=start.timestamp() % 60)
    answer = put_traces(xray, start)
    source = DataSource(xray, start - MINUTE, now + MINUTE)
    check_lists(source, answer)
    check_trace(source, answer)
    check_time_series(source)
    check_analytics(source)
    for group in ("Default", "All"):
        for state in (None, "Active", "Closed"):
            assert source.insights(group, state) == [], "there are no insights here"
    check_paging(xray, source, start)
    print(f"{len(ANALYTICS)} kinds of analytics, trace list, trace, time series, service map and insights: ok")


if __name__ == "__main__":
    main()
