"""Rules for Grafana dashboards: those of Grafana's own dashboard-linter under its names, written anew, and a few more.
Each takes a dashboard and yields what is wrong with it."""
import json
import pathlib
import re

from promql import selectors

BOARDS = {path.stem: json.loads(path.read_text())
          for path in sorted((pathlib.Path(__file__).resolve().parents[1] / "grafana/dashboards").glob("*.json"))}

CORE_PANELS = {"timeseries", "stat", "gauge", "bargauge", "table", "heatmap", "state-timeline", "status-history",
               "histogram", "piechart", "barchart", "text", "logs", "row"}
RULES = {}


def rule(name):
    def keep(function):
        RULES[name] = function
        return function
    return keep


def lint(dashboard):
    return [f"{name}: {finding}" for name, check in RULES.items() for finding in check(dashboard)]


def panels(dashboard):
    return [p for p in dashboard["panels"] if p["type"] != "row"]


def targets(dashboard):
    return [(p["title"], t) for p in panels(dashboard) for t in p.get("targets", [])]


def variable(dashboard, name):
    return next((v for v in dashboard["templating"]["list"] if v["name"] == name), None)


@rule("template-datasource")
def template_datasource(dashboard):
    v = variable(dashboard, "datasource")
    if not v or v["type"] != "datasource" or v["query"] != "prometheus":
        yield "no variable 'datasource' of type datasource for prometheus"
    elif v["label"] != "Data source":
        yield f"the variable 'datasource' is labelled {v['label']!r}"


def template_query(dashboard, name):
    v = variable(dashboard, name)
    if not v or v["type"] != "query":
        yield f"no query variable {name!r}"
        return
    for key, want in (("label", name.capitalize()), ("multi", True), ("includeAll", True), ("allValue", ".+")):
        if v.get(key) != want:
            yield f"{name}: {key} is {v.get(key)!r}, not {want!r}"
    if v.get("datasource") != {"type": "prometheus", "uid": "${datasource}"}:
        yield f"{name} does not use the data source variable"


@rule("template-job")
def template_job(dashboard):
    return template_query(dashboard, "job")


@rule("template-instance")
def template_instance(dashboard):
    return template_query(dashboard, "instance")


@rule("template-label-promql")
def template_label_promql(dashboard):
    for v in dashboard["templating"]["list"]:
        if v["type"] == "query":
            found = re.fullmatch(r"label_values\((.+), (\w+)\)", v["query"]["query"])
            if not found or len(selectors(found[1])) != 1 or v["definition"] != v["query"]["query"]:
                yield f"{v['name']}: {v['query']['query']}"


@rule("template-on-time-change-reload")
def template_reload(dashboard):
    for v in dashboard["templating"]["list"]:
        if v["type"] == "query" and v["refresh"] != 2:
            yield f"{v['name']} is not asked again when the time range changes"


@rule("panel-datasource")
def panel_datasource(dashboard):
    for p in panels(dashboard):
        for what in (p, *p.get("targets", [])):
            if what.get("datasource") != {"type": "prometheus", "uid": "${datasource}"}:
                yield f"{p['title']}: {what.get('datasource')}"


@rule("panel-title-description")
def panel_description(dashboard):
    for p in panels(dashboard):
        if not p.get("title") or len(p.get("description", "")) < 20:
            yield f"{p.get('title')!r} ({p.get('id')}) lacks a title or a description"


@rule("panel-units")
def panel_units(dashboard):
    for p in panels(dashboard):
        if not p["fieldConfig"]["defaults"].get("unit"):
            yield f"{p['title']} has no unit"


@rule("panel-no-targets")
def panel_no_targets(dashboard):
    for p in panels(dashboard):
        if not p.get("targets"):
            yield f"{p['title']} asks nothing"


@rule("target-rate-interval")
def target_rate_interval(dashboard):
    for title, t in targets(dashboard):
        for s in selectors(t["expr"]):
            if s.range not in (None, "$__rate_interval"):
                yield f"{title}: {s.name}[{s.range}]"


def matcher(dashboard, label):
    for title, t in targets(dashboard):
        for s in selectors(t["expr"]):
            if (label, "=~", "$" + label) not in s.matchers:
                yield f"{title}: {s.name} lacks {label}=~\"${label}\""


@rule("target-job")
def target_job(dashboard):
    return matcher(dashboard, "job")


@rule("target-instance")
def target_instance(dashboard):
    return matcher(dashboard, "instance")


@rule("target-counter-agg")
def target_counter(dashboard):
    for title, t in targets(dashboard):
        for s in selectors(t["expr"]):
            if re.search(r"_(total|sum|count|bucket)$", s.name or "") and (
                    not s.range or not {"rate", "irate", "increase"} & set(s.functions)):
                yield f"{title}: {s.name} is a counter and not in a rate"


@rule("target-gauge-agg")
def target_gauge(dashboard):
    for title, t in targets(dashboard):
        for s in selectors(t["expr"]):
            if not re.search(r"_(total|sum|count|bucket)$", s.name or "") and {"rate", "irate", "increase"} & set(s.functions):
                yield f"{title}: {s.name} is no counter, but in a rate"


@rule("uneditable-dashboard")
def uneditable(dashboard):
    if dashboard.get("editable") is not False:
        yield "it can be edited in the browser, and the change lost"


# more than the linter asks


@rule("schema")
def schema(dashboard):
    if dashboard["schemaVersion"] < 39:
        yield f"schemaVersion {dashboard['schemaVersion']}"


@rule("identity")
def identity(dashboard):
    if dashboard["id"] is not None or not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", dashboard["uid"]):
        yield f"id {dashboard['id']}, uid {dashboard['uid']!r}"


@rule("angular")
def angular(dashboard):
    for p in dashboard["panels"]:
        if p["type"] not in CORE_PANELS:
            yield f"{p['title']} is a {p['type']}"


@rule("places")
def places(dashboard):
    taken = {}
    for p in dashboard["panels"]:
        g = p["gridPos"]
        if g["x"] + g["w"] > 24:
            yield f"{p['title']} sticks out"
        for cell in ((x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])):
            if cell in taken:
                yield f"{p['title']} lies on {taken[cell]}"
                break
            taken[cell] = p["title"]
    numbers = [p["id"] for p in dashboard["panels"]]
    if len(set(numbers)) != len(numbers):
        yield "two panels have one id"


@rule("hard-coded")
def hard_coded(dashboard):
    for title, t in targets(dashboard):
        if re.search(r"\d+\.\d+\.\d+\.\d+|:\d{4}\b|reco-app", t["expr"]):
            yield f"{title}: a place is written into {t['expr']}"


@rule("annotation")
def annotations(dashboard):
    for a in dashboard["annotations"]["list"]:
        if a.get("builtIn"):
            continue
        if a["datasource"] != {"type": "prometheus", "uid": "${datasource}"}:
            yield f"{a['name']}: {a['datasource']}"
        for s in selectors(a["expr"]):
            if not {("job", "=~", "$job"), ("instance", "=~", "$instance")} <= set(s.matchers):
                yield f"{a['name']}: {s.name} lacks job or instance"


@rule("refresh")
def refresh(dashboard):
    if int(dashboard["refresh"].rstrip("s")) < 15:
        yield f"{dashboard['refresh']} is more often than there is something new"
