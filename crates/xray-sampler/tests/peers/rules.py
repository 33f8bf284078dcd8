"""Sampling rules, created and changed with AWS's SDK."""

EVERYTHING = {
    "FixedRate": 0.0, "ReservoirSize": 0, "ServiceName": "*", "ServiceType": "*", "Host": "*", "HTTPMethod": "*",
    "URLPath": "*", "ResourceARN": "*", "Version": 1,
}


def create(xray, name, priority, **changes):
    xray.create_sampling_rule(SamplingRule={"RuleName": name, "Priority": priority, **EVERYTHING, **changes})


def set_rate(xray, name, rate):
    xray.update_sampling_rule(SamplingRuleUpdate={"RuleName": name, "FixedRate": rate, "ReservoirSize": 0})
