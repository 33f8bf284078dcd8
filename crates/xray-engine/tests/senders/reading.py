"""What must be read, with AWS's SDK, of what a sender has sent."""

import datetime
import json

OK = {
    "OkCount": 1, "ErrorStatistics": {"ThrottleCount": 0, "OtherCount": 0, "TotalCount": 0},
    "FaultStatistics": {"OtherCount": 0, "TotalCount": 0}, "TotalCount": 1,
}
LINK = "link"


class Sent:
    """The traces of one sender: the order, the failure, and of OpenTelemetry's SDKs the batch, by their ids."""

    def __init__(self, xray, scenario, sender, traces):
        self.xray = xray
        self.scenario = scenario
        self.sender = sender
        self.traces = {name: f"1-{trace[:8]}-{trace[8:]}" for name, trace in traces.items()}
        self.shop, self.worker = f"{sender}-shop", f"{sender}-worker"
        # The X-Ray SDK knows nothing of where it runs, unless a plugin of it is set up.
        self.has_origin = "batch" in traces

    def summaries(self, filter_expression):
        now = datetime.datetime.now(datetime.timezone.utc)
        pages = self.xray.get_paginator("get_trace_summaries").paginate(
            StartTime=now - datetime.timedelta(hours=1), EndTime=now + datetime.timedelta(minutes=1),
            FilterExpression=filter_expression,
        )
        return pages.build_full_result()["TraceSummaries"]

    def service(self, name):
        return {"Name": name, "Names": [name], **({"Type": "AWS::ECS::Fargate"} if self.has_origin else {})}

    def documents(self, trace):
        [found] = self.xray.batch_get_traces(TraceIds=[self.traces[trace]])["Traces"]
        return [json.loads(segment["Document"]) for segment in found["Segments"]]


def check_filters(sent):
    """Each expression finds exactly the traces named."""
    shop, worker = sent.shop, sent.worker
    batch = [trace for trace in ("batch",) if trace in sent.traces]
    expected = {
        f'service("{shop}")': ["order", "failure"],
        f'service("{worker}")': ["order", *batch],
        f'service("{shop}") AND service("{worker}")': ["order"],
        f'service("{shop}") AND annotation.order_id = "A-17"': ["order"],
        f'service("{shop}") {{ annotation.amount > 42 AND annotation.amount < 43 }}': ["order"],
        f'service("{shop}") annotation.items = 3': ["order"],
        f'service("{shop}") annotation.gift': ["order"],
        f'service("{shop}") !annotation.gift': ["failure"],
        f'service("{worker}") {{ annotation.attempt >= 2 }}': batch,
        f'service("{shop}") AND ok': ["order"],
        f'service("{shop}") AND fault': ["failure"],
        f'service("{shop}") {{ fault }}': ["failure"],
        f'service("{shop}") AND http.status = 500': ["failure"],
        f'service("{shop}") AND http.method = "POST" AND http.url ENDSWITH "/orders"': ["order"],
        f'service("{shop}") AND http.useragent BEGINSWITH "peers/" AND http.clientip = "192.0.2.7"': ["order"],
        f'user = "alice-{sent.sender}"': ["order"],
        f'edge("{shop}", id(name: "orders", type: "AWS::DynamoDB::Table"))': ["order"],
        f'edge("{shop}", id(type: "AWS::SQS::Queue")) AND edge("placed", "{worker}") {{ responsetime = 2 }}': ["order"],
        f'service("{shop}") AND rootcause.fault.exception {{ message = "{sent.scenario["exception"]}" }}': ["failure"],
        f'rootcause.fault.entity {{ last and name = "charge card" }} AND service("{shop}")': ["failure"],
        f'service("{shop}") AND (error OR throttle OR partial)': [],
    }
    if sent.has_origin:
        expected[f'service(id(name: "{shop}", type: "AWS::ECS::Fargate"))'] = ["order", "failure"]
        expected[f'service("{shop}") AND responsetime >= 0.5'] = ["failure"]
        expected[f'service("{shop}") AND duration = 2.5'] = ["order"]
    for expression, traces in expected.items():
        found = {summary["Id"] for summary in sent.summaries(expression)}
        assert found == {sent.traces[trace] for trace in traces}, f"{expression}: {found}, of {sent.traces}"
    return len(expected)


def check_summaries(sent):
    """The order and the failure have all that was said about them."""
    [order] = sent.summaries(f'user = "alice-{sent.sender}"')
    assert order["Http"] == {
        "HttpURL": "https://shop.example.com/orders", "HttpStatus": 200, "HttpMethod": "POST", "UserAgent": "peers/1.0",
        "ClientIp": "192.0.2.7",
    }, order["Http"]
    shop, worker = sent.service(sent.shop), sent.service(sent.worker)
    assert order["Users"] == [{"UserName": f"alice-{sent.sender}", "ServiceIds": [shop]}], order["Users"]
    assert order["EntryPoint"] == shop, order["EntryPoint"]
    values = {
        "order_id": ({"StringValue": "A-17"}, shop), "amount": ({"NumberValue": 42.5}, shop), "items": ({"NumberValue": 3}, shop),
        "gift": ({"BooleanValue": True}, shop), "attempt": ({"NumberValue": 1}, worker),
    }
    annotations = {key: [{"AnnotationValue": value, "ServiceIds": [by]}] for key, (value, by) in values.items()}
    assert order["Annotations"] == annotations, order["Annotations"]
    flags = {name: order[name] for name in ("HasFault", "HasError", "HasThrottle", "IsPartial")}
    assert not any(flags.values()), flags
    assert [each["Name"] for each in order["ServiceIds"]] == [sent.shop, "orders", "placed", sent.worker], order["ServiceIds"]

    [failure] = sent.summaries(f'service("{sent.shop}") AND fault')
    assert failure["HasFault"] and not failure["HasError"], failure
    [cause] = failure["FaultRootCauses"]
    [service] = cause["Services"]
    assert cause["ClientImpacting"] and service["Name"] == sent.shop and not service["Inferred"], cause
    assert [entity["Name"] for entity in service["EntityPath"]] == [sent.shop, "charge card"], service
    [exception] = service["EntityPath"][-1]["Exceptions"]
    assert exception["Message"] == sent.scenario["exception"] and exception["Name"], exception
    if sent.has_origin:
        assert (order["Duration"], order["ResponseTime"]) == (2.5, 0.25), order
        assert (failure["Duration"], failure["ResponseTime"]) == (0.5, 0.5), failure


def parts(documents):
    """Returns documents and subsegments within them, by name, in lower case: the X-Ray SDK writes AWS's services so."""
    found = {}
    for document in documents:
        found[document["name"].lower()] = document
        found |= parts(document.get("subsegments", []))
    return found


def check_documents(sent):
    """The documents of a trace are connected, and a batch is linked to the message."""
    found = parts(sent.documents("order"))
    shop, call, message, worker = (found[name] for name in (sent.shop, "dynamodb", "sqs", sent.worker))
    assert "parent_id" not in shop and worker["parent_id"] == message["id"], (shop, worker)
    assert (call["namespace"], call["aws"]["operation"], call["aws"]["table_name"]) == ("aws", "PutItem", "orders"), call
    assert message["aws"]["operation"] == "SendMessage" and message["aws"]["queue_url"].endswith("/placed"), message
    if "batch" in sent.traces:
        [batch] = sent.documents("batch")
        assert batch["links"] == [{"trace_id": sent.traces["order"], "id": message["id"]}], batch
    else:
        sdk = shop["aws"]["xray"]
        assert (sdk["sdk"], sdk["sampling_rule_name"]) == ("X-Ray for Python", "senders"), sdk


def check_graph(sent):
    """The map of the order: the client, what the shop called, and the message with its age."""
    services = sent.xray.get_trace_graph(TraceIds=[sent.traces["order"]])["Services"]
    names = {service["ReferenceId"]: (service["Name"], service.get("Type")) for service in services}
    edges = {(names[each["ReferenceId"]], names[edge["ReferenceId"]]): edge for each in services for edge in each["Edges"]}
    kind = "AWS::ECS::Fargate" if sent.has_origin else None
    shop, worker = (sent.shop, kind), (sent.worker, kind)
    table, queue = ("orders", "AWS::DynamoDB::Table"), ("placed", "AWS::SQS::Queue")
    assert set(edges) == {((sent.shop, "client"), shop), (shop, table), (shop, queue), (queue, worker)}, list(edges)
    message = edges[queue, worker]
    assert message["EdgeType"] == LINK and "ResponseTimeHistogram" not in message, message
    assert message["ReceivedEventAgeHistogram"] == [{"Value": 2, "Count": 1}], message
    for ends in ((shop, table), (shop, queue)):
        statistics = dict(edges[ends]["SummaryStatistics"])
        assert statistics.pop("TotalResponseTime") >= 0 and statistics == OK, edges[ends]


def check(sent):
    """Checks everything, and returns the number of filter expressions."""
    expressions = check_filters(sent)
    for part in (check_summaries, check_documents, check_graph):
        part(sent)
    return expressions
