# SPDX-License-Identifier: Apache-2.0
"""Alerts fire when they should, as promtool sees it; dashboards are what dashboards.py writes, and Prometheus understands what they
ask. That the metrics exist is tests/lint/dashboards.py's."""
import glob
import json
import os

import pytest
import yaml
from conftest import ROOT, need, run

DIRECTORY = f"{ROOT}/deploy/grafana"
DASHBOARDS = sorted(glob.glob(f"{DIRECTORY}/*.json"))


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file) if path.endswith(".json") else yaml.safe_load(file)


def test_rules():
    need("promtool")
    run("promtool", "check", "rules", f"{DIRECTORY}/alerts.yaml")
    run("promtool", "test", "rules", f"{DIRECTORY}/alerts_test.yaml")


def test_each_alert_is_seen_to_fire():
    alerts = {rule["alert"] for group in load(f"{DIRECTORY}/alerts.yaml")["groups"] for rule in group["rules"] if "alert" in rule}
    cases = [case for test in load(f"{DIRECTORY}/alerts_test.yaml")["tests"] for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == alerts
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == alerts


def test_dashboards_are_written_by_the_script(tmp_path):
    run("python3", f"{DIRECTORY}/dashboards.py", tmp_path)
    assert sorted(os.listdir(tmp_path)) == [os.path.basename(path) for path in DASHBOARDS]
    for path in DASHBOARDS:
        assert load(path) == load(str(tmp_path / os.path.basename(path))), f"run {DIRECTORY}/dashboards.py"


@pytest.mark.parametrize("path", DASHBOARDS, ids=os.path.basename)
def test_queries(path, tmp_path):
    need("promtool")
    dashboard = load(path)
    rules = []
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            expression = target["expr"].replace("$__rate_interval", "5m").replace("$__range", "1h")
            for variable in dashboard["templating"]["list"]:
                expression = expression.replace(f"${variable['name']}", "x")
            assert "$" not in expression.replace('"$1"', ""), expression
            rules.append({"record": f"panel:{panel['id']}:{target['refId']}", "expr": expression})
    copy = tmp_path / "queries.yaml"
    copy.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    run("promtool", "check", "rules", copy)


@pytest.mark.parametrize("path", DASHBOARDS, ids=os.path.basename)
def test_layout(path):
    """No panel lies on another or beyond the 24 columns."""
    taken = set()
    for panel in load(path)["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken and max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
