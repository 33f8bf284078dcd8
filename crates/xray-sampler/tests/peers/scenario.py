"""Rules, the requests they are for, and what the two samplers are known to read differently."""

import random
from urllib.parse import quote

LAMBDA = "arn:aws:lambda:eu-central-1:111122223333:function:prices"
TASK = "arn:aws:ecs:eu-central-1:111122223333:container/shop/1"
CLUSTER = "arn:aws:ecs:eu-central-1:111122223333:cluster/shop"

# How each rule differs from one that matches everything. The first that matches decides. With the Default rule these are 25,
# the most statistics that X-Ray accepts in a call; samplers that report on all rules in one call, as JavaScript's does, get no
# targets beyond that.
RULES = {
    "probe": {"Attributes": {"probe": "yes"}},
    "gold": {"Attributes": {"tier": "gold", "region": "eu-*"}, "URLPath": "/orders*"},
    "retries": {"Attributes": {"retries": "3"}},
    "dots": {"URLPath": "/search/a.b+(c)[d]"},
    "health": {"URLPath": "/health"},
    "prices": {"URLPath": "/v?/items/*/price"},
    "admin": {"URLPath": "/Admin/*", "HTTPMethod": "p?t"},
    "accents": {"URLPath": "/caf\u00e9s/*"},
    "many-stars": {"URLPath": "/*a*a*b", "HTTPMethod": "GET"},
    "root": {"URLPath": "/"},
    "purge": {"HTTPMethod": "PURGE"},
    "host": {"Host": "shop.example.com", "URLPath": "/orders"},
    "internal": {"Host": "*.internal.example.com"},
    "function": {"ResourceARN": "arn:aws:lambda:*:function:prices"},
    "cluster": {"ResourceARN": "arn:aws:ecs:*:cluster/*"},
    "task": {"ResourceARN": "*:container/shop/?", "URLPath": "/orders/*"},
    "checkout": {"ServiceName": "Checkout", "HTTPMethod": "POST"},
    "checkouts": {"ServiceName": "chec*-?"},
    "fargate": {"ServiceType": "AWS::ECS::Fargate", "HTTPMethod": "G*"},
    "containers": {"ServiceType": "AWS::E?S::Container", "URLPath": "/orders/*"},
    "instances": {"ServiceType": "aws::ec2::instance"},
    "silver": {"Attributes": {"tier": "s*r"}},
    "tied-a": {"URLPath": "/v1/*"},
    "tied-b": {"URLPath": "/v1/*"},
}
# Of the same priority, the name decides.
PRIORITIES = {name: min(place, len(RULES) - 1) for place, name in enumerate(RULES, 1)}

RESOURCES = [
    {"service.name": "shop"},
    {"service.name": "checkout"},
    {"service.name": "checkout-1", "cloud.platform": "aws_ec2"},
    {"service.name": "billing", "cloud.platform": "aws_ec2"},
    {"service.name": "shop", "cloud.platform": "aws_eks"},
    {"service.name": "prices", "cloud.platform": "aws_lambda", "cloud.resource_id": LAMBDA},
    {"service.name": "shop", "cloud.platform": "aws_ecs", "aws.ecs.launchtype": "fargate", "aws.ecs.container.arn": TASK},
    {"service.name": "shop", "cloud.platform": "aws_eks", "aws.ecs.cluster.arn": CLUSTER},
]
PATHS = [
    "/", "/orders", "/orders/17", "/Orders", "/health", "/HEALTH", "/healthy", "/v1/items/7/price", "/v2/items/7/8/price",
    "/v12/items/7/price", "/admin/users", "/ADMIN/users", "/CAF\u00c9S/17", "/search/a.b+(c)[d]", "/search/axb+(c)[d]",
    "/xaxxabaxxb", "/aaaaaaaaaaaaaaaaaaaaaaaac", "/v1/", "/v1/x",
]
METHODS = ["GET", "get", "POST", "PUT", "PAT", "DELETE", "DE", "PURGE"]
HOSTS = ["shop.example.com", "SHOP.example.com", "db.internal.example.com", "internal.example.com"]
OTHERS = [
    {}, {}, {}, {"tier": "gold", "region": "eu-central-1"}, {"tier": "gold", "region": "us-east-1"}, {"tier": "gold"},
    {"tier": "Silver"}, {"tier": "sr"}, {"tier": "s"}, {"retries": "3"}, {"retries": 3}, {"retries": "33"}, {"retries": True},
]


def generated(count, seed):
    """Returns requests chosen at random: of a service, with attributes under their current or their former names."""
    choice = random.Random(seed).choice

    def request():
        path, method, host = choice(PATHS), choice(METHODS), choice(HOSTS)
        attributes = {
            **choice([
                {"url.path": path}, {"url.path": path}, {"url.full": f"https://{host}{quote(path, '/[]()+')}?deep=1"}, {"url.full": f"https://{host}"},
                {"http.target": f"{path}?deep=1"}, {},
            ]),
            **choice([
                {"http.request.method": method}, {"http.request.method": method}, {"http.method": method}, {},
                {"http.request.method": "_OTHER", "http.request.method_original": method},
            ]),
            **choice([
                {"server.address": host}, {"server.address": host}, {"http.host": f"{host}:8443"}, {"net.host.name": host},
                {"client.address": host}, {},
            ]),
            **choice(OTHERS),
        }
        return {"resource": choice(RESOURCES), "attributes": attributes}

    return [request() for _ in range(count)]


def absent_path(resource, attributes):
    """Without a path, JavaScript's assumes `/`; to ours, a path that is absent is matched by `*` alone."""
    if not {"url.path", "url.full", "http.target"} & set(attributes):
        attributes["url.path"] = "/"


def former_names(resource, attributes):
    """Ours also reads the names that HTTP attributes had before they were stable; JavaScript's does not."""
    if "http.target" in attributes:
        attributes["url.path"] = attributes.pop("http.target").split("?")[0]
    if "http.method" in attributes:
        attributes["http.request.method"] = attributes.pop("http.method")
    for former in ("http.host", "net.host.name"):
        if former in attributes:
            attributes["server.address"] = attributes.pop(former).split(":")[0]


def other_method(resource, attributes):
    """Ours reads the original of a method that instrumentation does not know, as Java's does; JavaScript's reads `_OTHER`."""
    if attributes.get("http.request.method") == "_OTHER":
        attributes["http.request.method"] = attributes["http.request.method_original"]


def client_as_host(resource, attributes):
    """Without a host, JavaScript's takes the client's address for it."""
    if "client.address" in attributes:
        attributes["server.address"] = attributes.pop("client.address")


def other_types(resource, attributes):
    """Ours compares numbers and booleans as text; to JavaScript's they match nothing but `*`."""
    if "retries" in attributes:
        attributes["retries"] = str(attributes["retries"]).lower()


def launch_type(resource, attributes):
    """A container on Fargate is to ours of the type `AWS::ECS::Fargate`, too, which X-Ray shows for it."""
    resource.pop("aws.ecs.launchtype", None)


def cluster_arn(resource, attributes):
    """Where the ARN of a container is unknown, JavaScript's takes its cluster's."""
    if "aws.ecs.cluster.arn" in resource:
        resource["aws.ecs.container.arn"] = resource.pop("aws.ecs.cluster.arn")


# Known differences, and how to write a request so that both read the same. Those of JavaScript's sampler are mistakes, or
# guesses, that ours does not repeat (crates/xray-sampler/src/lib.rs, "Matching").
DIFFERENCES = [absent_path, former_names, other_method, client_as_host, other_types, launch_type, cluster_arn]


def same_to_both(request):
    """Returns a request rewritten so that both samplers must read it alike, and the differences that it had."""
    resource, attributes, found = dict(request["resource"]), dict(request["attributes"]), []
    for difference in DIFFERENCES:
        before = (dict(resource), dict(attributes))
        difference(resource, attributes)
        if (resource, attributes) != before:
            found.append(difference.__name__)
    return {"resource": resource, "attributes": attributes}, found
