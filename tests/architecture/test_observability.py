"""What operators are shown is there: metrics in docs, rules and dashboard exist, and each alert names its runbook."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import promql_parser
import pytest
import yaml

from duly_chassis.gauges import CHASSIS
from duly_chassis.metrics import Metrics
from tests.architecture.markdown import document
from tests.architecture.source import ROOT
from tests.architecture.test_wiring import built

OBSERVABILITY = ROOT / "deploy" / "observability"
ROW = re.compile(r"^\| `(duly_[a-z_]+)` \| (\w+) \| ([a-z, -]+) \| \S", re.MULTILINE)
PROMETHEUS_OWN = {"up": {"job", "instance"}}
FROM_THE_SCRAPE = {"job", "instance"}
SUFFIXES = ("_bucket", "_sum", "_count")
LABELS = {
    "service": "the service itself",
    "type": "our own event types, or `any` or `other`",
    "outcome": "words of our own code",
    "kind": "words of our own code",
    "reason": "reason codes of our own code",
    "part": "`lane`, or a loop's name",
    "error": "class of an exception, and SQLSTATE",
    "loop": "from the service's description",
    "channel": "a file each",
    "check": "a line of readiness",
    "topic": "the contract's topics",
    "partition": "fixed at creation",
    "edge": "the hooks of our own services, or `none`",
    "brake": "names in our own code",
}
"""Every label there is, and why it cannot grow without end."""
UNITS = ("_total", "_seconds", "_records", "_events", "_messages", "_ok", "_open")


@cache
def measured() -> Mapping[str, tuple[str, tuple[str, ...]]]:
    """Return every metric of the house: its kind and labels, by name."""
    metrics = Metrics("house")
    own = [asked for service, _ in built().values() for asked in service.gauges]
    for asked in {one.name: one for one in (*CHASSIS, *own)}.values():
        metrics.gauge(asked.name, asked.text, asked.labels)
    found = {}
    for collector in set(metrics.registry._collector_to_names):
        (family,) = collector.describe()  # type: ignore[attr-defined]  # every metric of the client has it
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = family.type, tuple(collector._labelnames)  # type: ignore[attr-defined]
    return found


def rules() -> dict[str, dict[str, Any]]:
    """Return every alert rule by its name."""
    found: list[dict[str, Any]] = []
    for path in sorted((OBSERVABILITY / "alerts").glob("*.yaml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            found += group["rules"]
    names = [rule["alert"] for rule in found]
    assert len(names) == len(set(names))
    return {rule["alert"]: rule for rule in found}


def panels() -> dict[str, list[str]]:
    """Return the queries of each panel of the dashboard."""
    shown = json.loads((OBSERVABILITY / "dashboards" / "duly.json").read_text(encoding="utf-8"))
    return {panel["title"]: [one["expr"] for one in panel.get("targets", [])] for panel in shown["panels"]}


def selected(expression: Any) -> Iterator[tuple[str, set[str]]]:
    """Yield each metric that an expression selects, with the labels it matches."""
    match expression:
        case promql_parser.VectorSelector():
            matchers = expression.matchers.matchers
            yield str(expression.name), {str(one.name) for one in matchers}
        case promql_parser.MatrixSelector():
            yield from selected(expression.vector_selector)
        case promql_parser.BinaryExpr():
            yield from (*selected(expression.lhs), *selected(expression.rhs))
        case promql_parser.Call():
            yield from (one for argument in expression.args for one in selected(argument))
        case promql_parser.AggregateExpr() | promql_parser.ParenExpr() | promql_parser.UnaryExpr():
            yield from selected(expression.expr)
        case promql_parser.SubqueryExpr():
            yield from selected(expression.expr)


def labels_of(name: str) -> set[str]:
    """Return the labels that a metric may be asked by; raises KeyError for one that nobody has."""
    if name in PROMETHEUS_OWN:
        return PROMETHEUS_OWN[name]
    plain = next((name.removesuffix(end) for end in SUFFIXES if name.endswith(end)), name)
    kind, labels = measured()[name if name in measured() else plain]
    return {*labels, *FROM_THE_SCRAPE, *(("le",) if kind == "histogram" else ())}


def faults(query: str) -> list[str]:
    """Say what is wrong with a query."""
    asked = query.replace("$__rate_interval", "5m")  # as Grafana fills it in
    known = list(selected(promql_parser.parse(asked)))
    wrong = [name for name, _ in known if not exists(name)]
    wrong += [f"{name} has no {label}" for name, labels in known if exists(name) for label in labels - labels_of(name)]
    grouped = {word for words in re.findall(r"\b(?:by|on) \(([^)]*)\)", query) for word in re.findall(r"\w+", words)}
    wrong += [f"nobody has {label}" for label in grouped - set().union(*(labels_of(n) for n, _ in known if exists(n)))]
    return wrong if known else ["selects nothing"]


def exists(name: str) -> bool:
    """Tell whether a metric is one of ours, or Prometheus' own."""
    try:
        labels_of(name)
    except KeyError:
        return False
    return True


@pytest.mark.parametrize("name", sorted(measured()))
def test_metric_has_a_name_with_its_unit_and_only_labels_that_cannot_grow(name: str) -> None:
    """STYLE.md: units at the end. I9: no person, mail or text is a label, for every label is known here."""
    _, labels = measured()[name]

    assert re.fullmatch(r"duly_[a-z_]+", name)
    assert name.endswith(UNITS)
    assert labels[0] == "service"
    assert set(labels) <= LABELS.keys()


def test_metrics_page_lists_exactly_what_there_is() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    told = {name: (kind, set(re.findall("[a-z]+", labels))) for name, kind, labels in ROW.findall(text)}

    assert told == {name: (kind, set(labels) - {"service"}) for name, (kind, labels) in measured().items()}


@pytest.mark.parametrize("name", built())
def test_service_with_waiting_rows_tells_how_late_the_oldest_is(name: str) -> None:
    """LIBRARIES section 3: ages, not only rates; a new service gets its alert by declaring the gauge."""
    service = built()[name][0]

    assert bool(service.waits) == ("duly_oldest_due_seconds" in {asked.name for asked in service.gauges})


@pytest.mark.parametrize(("alert", "rule"), rules().items(), ids=rules())
def test_alert_asks_for_metrics_that_exist_and_names_its_runbook(alert: str, rule: dict[str, Any]) -> None:
    """LIBRARIES section 3: alerts fire on a change of state; each names its runbook."""
    path, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    runbook = ROOT / path

    assert re.fullmatch(r"Duly[A-Z][A-Za-z]+", alert)
    assert faults(rule["expr"]) == []
    assert re.fullmatch(r"\d+[smh]", rule["for"])
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"]
    assert runbook.parent == ROOT / "docs" / "runbooks"
    assert anchor in document(runbook, runbook.read_text(encoding="utf-8")).anchors()


@pytest.mark.parametrize(
    "name",
    [
        *("duly_heartbeat_age_seconds", "duly_health_ok", "duly_lag_records", "duly_oldest_due_seconds"),
        *("duly_oldest_in_doubt_seconds", "duly_outbox_age_seconds", "duly_parked_messages", "duly_gauges_ok"),
        *(
            "duly_brake_held_seconds",
            "duly_dead_letters_open",
            "duly_roster_held_seconds",
            "duly_sends_total",
            "duly_retries_total",
        ),
    ],
)
def test_whatever_must_not_last_has_an_alert(name: str) -> None:
    asked = {found for rule in rules().values() for found, _ in selected(promql_parser.parse(rule["expr"]))}

    assert name in asked


@pytest.mark.parametrize(("panel", "queries"), panels().items(), ids=panels())
def test_panel_asks_for_metrics_that_exist(panel: str, queries: list[str]) -> None:
    assert panel
    assert [fault for query in queries for fault in faults(query)] == []
    assert queries


def test_dashboard_has_a_panel_for_each_promise_that_a_running_house_can_show() -> None:
    """I5 to I8 need services that are not here yet, or are proved by tests alone."""
    shown = " ".join(panels())

    assert [promise for promise in ("I1", "I2", "I3", "I4", "I10") if f"{promise} " not in shown] == []


def test_wrong_query_is_noticed() -> None:
    assert faults("duly_nothing > 0") == ["duly_nothing"]
    assert faults('sum(rate(duly_sends_total{person="x"}[5m]))') == ["duly_sends_total has no person"]
    assert faults("sum by (person) (duly_published_total)") == ["nobody has person"]
    assert faults("1 + 1") == ["selects nothing"]
    assert faults("histogram_quantile(0.9, sum by (le) (rate(duly_batch_seconds_bucket[5m])))") == []
    with pytest.raises(ValueError, match="parenthesis"):
        faults("sum by (")
