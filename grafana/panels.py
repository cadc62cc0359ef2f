"""The pieces of a Grafana dashboard (classic JSON, schema 39), so that every panel has what every panel must have: the
data source variable, a description, a unit, matchers on job and instance.

In expressions `@` stands for the matchers on the template variables, as in `up{@}`."""

SCHEMA = 39
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
MATCHERS = 'job=~"$job", instance=~"$instance"'
GREEN, YELLOW, ORANGE, RED, BLUE, PURPLE, GREY = "green", "yellow", "orange", "red", "blue", "purple", "#8e8e8e"


def promql(text):
    """An expression on one line, its @ written out."""
    return " ".join(text.split()).replace("@", MATCHERS)


def target(expr, legend="__auto", **more):
    return {"expr": promql(expr), "legendFormat": legend, **more}


def thresholds(*steps):
    """thresholds("green", (0.01, "red")): the first colour from the bottom on."""
    first, *rest = steps or (GREEN,)
    return {"mode": "absolute", "steps": [{"color": first, "value": None}] +
            [{"color": color, "value": value} for value, color in rest]}


def coloured(**colors):
    """Overrides: series by a pattern of their names, in a colour."""
    return [{"matcher": {"id": "byRegexp", "options": pattern},
             "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": color}}]}
            for pattern, color in colors.items()]


def panel(kind, title, description, unit, targets, size, *, defaults=None, overrides=(), options=None, **more):
    if isinstance(targets, str):
        targets = [target(targets)]
    return {"type": kind, "title": title, "description": description, "datasource": DATASOURCE,
            "size": size, "targets": [{"refId": chr(65 + i), "datasource": DATASOURCE, "editorMode": "code",
                                       "range": not t.get("instant"), "instant": False, **t}
                                      for i, t in enumerate(targets)],
            "fieldConfig": {"defaults": {"unit": unit, "color": {"mode": "palette-classic"}, "mappings": [],
                                         "thresholds": thresholds(), **(defaults or {})},
                            "overrides": list(overrides)},
            "options": options or {}, **more}


def timeseries(title, description, unit, targets, size, *, style="line", stack=False, fill=12, step=False, zero=True,
               legend="list", defaults=None, **more):
    custom = {"drawStyle": style, "lineWidth": 0 if style == "bars" else 2, "lineInterpolation": "stepAfter" if step else "linear",
              "fillOpacity": 70 if style == "bars" else 35 if stack else fill, "gradientMode": "none", "pointSize": 4,
              "showPoints": "never", "spanNulls": False, "barAlignment": 0, "axisPlacement": "auto", "axisLabel": "",
              "axisBorderShow": False, "axisCenteredZero": False, "axisColorMode": "text",
              "scaleDistribution": {"type": "linear"}, "hideFrom": {"legend": False, "tooltip": False, "viz": False},
              "stacking": {"group": "A", "mode": "normal" if stack else "none"}, "thresholdsStyle": {"mode": "off"}}
    return panel("timeseries", title, description, unit, targets, size,
                 defaults={"custom": custom, **({"min": 0} if zero else {}), **(defaults or {})},
                 options={"legend": {"calcs": ["mean", "max"] if legend == "table" else [], "displayMode": legend,
                                     "placement": "bottom", "showLegend": True},
                          "tooltip": {"mode": "multi", "sort": "desc"}}, **more)


REDUCE = {"calcs": ["lastNotNull"], "fields": "", "values": False}


def mapping(values):
    """Words for numbers: ((0, "down", RED), (1, "up", GREEN))."""
    return {"type": "value", "options": {str(value): {"text": text, "color": color, "index": at}
                                         for at, (value, text, color) in enumerate(values)}}


def stat(title, description, unit, expr, size, *steps, graph=True, decimals=None, mappings=(), **more):
    return panel("stat", title, description, unit, expr, size,
                 defaults={"thresholds": thresholds(*steps), "color": {"mode": "thresholds"},
                           **({"mappings": [mapping(mappings)]} if mappings else {}),
                           **({"decimals": decimals} if decimals is not None else {})},
                 options={"colorMode": "value", "graphMode": "area" if graph else "none", "justifyMode": "auto",
                          "orientation": "auto", "textMode": "auto", "wideLayout": True, "reduceOptions": REDUCE}, **more)


def bargauge(title, description, unit, targets, size, *steps, **more):
    return panel("bargauge", title, description, unit, targets, size,
                 defaults={"min": 0, "thresholds": thresholds(*steps), "color": {"mode": "thresholds"}},
                 options={"displayMode": "basic", "orientation": "horizontal", "showUnfilled": True,
                          "valueMode": "color", "namePlacement": "auto", "sizing": "auto", "minVizWidth": 8,
                          "minVizHeight": 16, "reduceOptions": REDUCE}, **more)


def states(title, description, expr, legend, size, values):
    """A band for each series, in the colour of its value: values as of mapping()."""
    (_, _, first), *rest = values
    return panel("state-timeline", title, description, "short", [target(expr, legend)], size,
                 defaults={"mappings": [mapping(values)], "color": {"mode": "thresholds"},
                           "thresholds": thresholds(first, *((value, color) for value, _, color in rest)),
                           "custom": {"fillOpacity": 80, "lineWidth": 0, "spanNulls": False,
                                      "hideFrom": {"legend": False, "tooltip": False, "viz": False}}},
                 options={"mergeValues": True, "showValue": "auto", "alignValue": "left", "rowHeight": 0.8,
                          "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
                          "tooltip": {"mode": "single", "sort": "none"}})


def health(title, description, expr, legend, size):
    """A band for each series: green while it is 1, red while it is 0."""
    return states(title, description, expr, legend, size, ((0, "down", RED), (1, "up", GREEN)))


def heatmap(title, description, unit, expr, size):
    """Of a histogram's buckets, by le."""
    return panel("heatmap", title, description, unit, [target(expr, "{{le}}", format="heatmap")], size,
                 defaults={"custom": {"scaleDistribution": {"type": "linear"},
                                      "hideFrom": {"legend": False, "tooltip": False, "viz": False}}},
                 options={"calculate": False, "cellGap": 1, "rowsFrame": {"layout": "auto"},
                          "color": {"mode": "scheme", "scheme": "Oranges", "fill": "dark-orange", "scale": "exponential",
                                    "exponent": 0.5, "steps": 64, "reverse": False},
                          "yAxis": {"axisPlacement": "left", "unit": unit, "reverse": False},
                          "cellValues": {"unit": "reqps"}, "filterValues": {"le": 1e-9},
                          "legend": {"show": True}, "exemplars": {"color": "rgba(255,0,255,0.7)"},
                          "tooltip": {"mode": "single", "yHistogram": False, "showColorScale": False}})


def table(title, description, expr, columns, size):
    """One row a series, its labels as columns: {label: heading}."""
    order = {label: at for at, label in enumerate(columns)}
    return panel("table", title, description, "none", [target(expr, "", format="table", instant=True)], size,
                 defaults={"custom": {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False}},
                 options={"cellHeight": "sm", "showHeader": True, "footer": {"show": False, "reducer": ["sum"], "fields": ""}},
                 transformations=[{"id": "filterFieldsByName", "options": {"include": {"names": list(columns)}}},
                                  {"id": "organize", "options": {"excludeByName": {}, "indexByName": order,
                                                                 "renameByName": columns}}])


def merged_table(title, description, columns, labels, size):
    """One row for each set of labels, one column for each expression: columns {heading: expr}, labels {label: heading}."""
    fields = {f"Value #{chr(65 + at)}": heading for at, heading in enumerate(columns)}
    order = {name: at for at, name in enumerate((*labels, *fields))}
    return panel("table", title, description, "none", [target(expr, "", format="table", instant=True) for expr in columns.values()],
                 size, defaults={"decimals": 3, "custom": {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False}},
                 options={"cellHeight": "sm", "showHeader": True, "footer": {"show": False, "reducer": ["sum"], "fields": ""}},
                 transformations=[{"id": "merge", "options": {}},
                                  {"id": "organize", "options": {"excludeByName": {"Time": True}, "indexByName": order,
                                                                 "renameByName": {**labels, **fields}}}])


def row(title):
    return {"type": "row", "title": title, "collapsed": False, "size": (24, 1), "panels": []}


def annotation(name, color, expr, title, text, value_is_time=False):
    return {"name": name, "enable": True, "hide": False, "iconColor": color, "datasource": DATASOURCE,
            "expr": promql(expr), "step": "60s", "titleFormat": title, "textFormat": text, "tagKeys": "",
            **({"useValueForTime": True} if value_is_time else {})}


def query_variable(name, query):
    return {"name": name, "label": name.capitalize(), "type": "query", "datasource": DATASOURCE, "definition": query,
            "query": {"query": query, "refId": "StandardVariableQuery"}, "refresh": 2, "sort": 1, "regex": "",
            "multi": True, "includeAll": True, "allValue": ".+", "hide": 0, "skipUrlSync": False, "options": [],
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]}}


def variables(metric):
    """Data source, job, instance: those that have this metric."""
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "regex": "",
              "refresh": 1, "multi": False, "includeAll": False, "hide": 0, "skipUrlSync": False, "options": [],
              "current": {"selected": True, "text": "Prometheus", "value": "prometheus"}}
    return [source, query_variable("job", f"label_values({metric}, job)"),
            query_variable("instance", f'label_values({metric}{{job=~"$job"}}, instance)')]


def placed(panels):
    """Give panels their numbers and places: left to right, a new line where one is full."""
    x = y = height = 0
    for number, p in enumerate(panels, 1):
        w, h = p.pop("size")
        if x + w > 24:
            x, y, height = 0, y + height, 0
        p["id"], p["gridPos"] = number, {"x": x, "y": y, "w": w, "h": h}
        x, height = x + w, max(height, h)
    return panels


def dashboard(uid, title, description, metric, panels, annotations=()):
    default = {"builtIn": 1, "datasource": {"type": "grafana", "uid": "-- Grafana --"}, "enable": True, "hide": True,
               "iconColor": "rgba(0, 211, 255, 1)", "name": "Annotations & Alerts", "type": "dashboard"}
    return {"id": None, "uid": uid, "title": title, "description": description, "tags": ["akin"], "version": 1,
            "schemaVersion": SCHEMA, "editable": False, "graphTooltip": 1, "fiscalYearStartMonth": 0, "liveNow": False,
            "timezone": "browser", "weekStart": "monday", "time": {"from": "now-1h", "to": "now"}, "refresh": "30s",
            "timepicker": {"refresh_intervals": ["15s", "30s", "1m", "5m", "15m", "1h"]},
            "links": [{"type": "dashboards", "title": "Akin", "tags": ["akin"], "asDropdown": False, "icon": "external link",
                       "includeVars": True, "keepTime": True, "targetBlank": False, "tooltip": "", "url": ""}],
            "annotations": {"list": [default, *annotations]}, "templating": {"list": variables(metric)},
            "panels": placed(panels)}
