"""OpenAPI 3.0 in tests: references, and its schemas as JSON Schema, strictly: what is not described must not be there."""
import re

import jsonschema


def refer(document, node):
    """What a reference stands for; anything else is itself."""
    while isinstance(node, dict) and "$ref" in node:
        found = document
        for key in node["$ref"].removeprefix("#/").split("/"):
            found = found[key.replace("~1", "/").replace("~0", "~")]
        node = found
    return node


def operations(document):
    """(path template, method, operation)"""
    return [(path, method, found) for path, item in document["paths"].items() for method, found in item.items()]


def draft4(document, schema):
    """An OpenAPI 3.0 schema as one of draft 4, references put in, objects closed unless they say they are open."""
    schema = refer(document, schema)
    made = {}
    for key, value in schema.items():
        if key in ("properties",):
            made[key] = {name: draft4(document, s) for name, s in value.items()}
        elif key in ("items", "not") or (key == "additionalProperties" and isinstance(value, dict)):
            made[key] = draft4(document, value)
        elif key in ("anyOf", "allOf", "oneOf"):
            made[key] = [draft4(document, s) for s in value]
        elif key not in ("nullable", "example"):
            made[key] = value
    if "properties" in made:
        made.setdefault("additionalProperties", False)
    return {"anyOf": [made, {"type": "null"}]} if schema.get("nullable") else made


FORMATS = jsonschema.FormatChecker()


@FORMATS.checks("date-time")
def is_date_time(value):
    return not isinstance(value, str) or re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", value)


def faults(document, schema, value):
    """Where a value is not what the schema says, as text; empty when it is."""
    validator = jsonschema.Draft4Validator(draft4(document, schema), format_checker=FORMATS)
    return "; ".join(f"{'/'.join(map(str, e.absolute_path)) or 'it'}: {e.message[:200]}"
                     for e in validator.iter_errors(value))


def route_of(document, path):
    """The template that a path (without query) fits, or None."""
    for template in document["paths"]:
        if re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)), path):
            return template
    return None


def check(document, template, answer, method="get"):
    """Is this answer among those that the document has for this route? The status is, its content type, every field of
    the head that it promises, and the body."""
    described = document["paths"][template][method]["responses"]
    assert str(answer.status) in described, f"{template}: {answer.status} is not described: {answer.body[:200]}"
    described = refer(document, described[str(answer.status)])
    for name, header in described.get("headers", {}).items():
        value, schema = answer.headers.get(name.lower()), refer(document, header)["schema"]
        if value is None:
            assert name == "Content-Encoding", f"{template}, {answer.status}: no {name}"
            continue
        value = int(value) if schema["type"] == "integer" else value
        assert not faults(document, schema, value), f"{name}: {value}"
    promised = {name.lower() for name in described.get("headers", {})}
    assert {"akin-generation", "content-encoding", "vary"} & set(answer.headers) <= promised, answer.headers
    kind = answer.headers["content-type"].partition(";")[0]
    assert kind in described["content"], f"{template}, {answer.status}: {kind}"
    value = answer.json if kind == "application/json" else answer.body.decode()
    wrong = faults(document, described["content"][kind]["schema"], value)
    assert not wrong, f"{template}, {answer.status}: {wrong}"
