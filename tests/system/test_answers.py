"""Every item and every customer of Online Retail, over HTTP, against the independent computation."""
import json
from urllib.parse import quote

import pytest

import harness
import independent


def path(kind, id, n, **more):
    return f"/predict/{kind}/{quote(id, safe='')}?n={n}" + "".join(f"&{k}={v}" for k, v in more.items())


def body(client, kind, id, n, **more):
    answer = client.get(path(kind, id, n, **more))
    assert answer.status == 200, (kind, id, n, answer.body)
    found = answer.json
    assert list(found) == ["success", "type", "total", "data", "recommendation_id"]
    assert found["success"] is True and found["type"] == f"{kind}_based" and list(found["data"]) == [id]
    assert found["total"] == len(found["data"][id])
    return found["data"][id]


def differing(got, want):
    """What to show of many comparisons: how many are wrong, and the first few."""
    wrong = [(key, got[key], want[key]) for key in want if got[key] != want[key]]
    assert not wrong, f"{len(wrong)} of {len(want)} differ, first: {wrong[:3]}"


def test_the_checker_has_read_what_the_data_set_says(expected):
    assert len(expected.baskets) == 4339 and len(expected.buyers) == 3665
    assert sum(map(len, expected.baskets.values())) == 266802


@pytest.mark.parametrize("n", [1, 5, 100])
def test_all_items(session_server, expected, n):
    with session_server.client() as client:
        got = {item: body(client, "item", item, n) for item in expected.buyers}
    differing(got, {item: [other for other, _ in expected.similar_items(item, n)] for item in expected.buyers})


@pytest.mark.parametrize("n", [1, 5, 100])
def test_all_customers(session_server, expected, n):
    with session_server.client() as client:
        got = {who: body(client, "user", who, n) for who in expected.baskets}
    differing(got, {who: [item for item, _ in expected.for_customer(who, n)] for who in expected.baskets})


def test_all_items_with_details(session_server, expected):
    with session_server.client() as client:
        for item in expected.buyers:
            got = body(client, "item", item, 100, details="true")
            want = expected.similar_items(item, 100)
            assert [g["id"] for g in got] == [other for other, _ in want]
            for g, (other, score) in zip(got, want):
                assert abs(g["score"] - score) <= 1e-12 and g["source"] == "item"
                assert g["description"] == expected.descriptions.get(other, "")


def test_all_customers_with_details(session_server, expected):
    with session_server.client() as client:
        for who in expected.baskets:
            got = body(client, "user", who, 20, details="true")
            want = expected.for_customer(who, 20)
            assert [(g["id"], g["source"]) for g in got] == want
            score = expected.best_customer(who)[1]
            for g in got:
                assert g["description"] == expected.descriptions.get(g["id"], "")
                share = len(expected.buyers[g["id"]]) / len(expected.baskets)
                assert abs(g["score"] - (score if g["source"] == "user" else share)) <= 1e-12


def deep(expected):
    """Items beyond the stored heads: the most and the least bought, and every 100th."""
    by_customers = sorted(expected.buyers, key=lambda i: (len(expected.buyers[i]), i))
    return by_customers[:3] + by_customers[-3:] + by_customers[::100]


def test_whole_rows(session_server, expected):
    with session_server.client() as client:
        got = {item: body(client, "item", item, 10000) for item in deep(expected)}
    differing(got, {item: [other for other, _ in expected.similar_items(item)] for item in got})


@pytest.mark.parametrize("n", [101, 102, 128, 500, 2000])
def test_just_beyond_the_head(session_server, expected, n):
    with session_server.client() as client:
        got = {item: body(client, "item", item, n) for item in deep(expected)}
    differing(got, {item: [other for other, _ in expected.similar_items(item, n)] for item in got})


def test_whole_rows_have_exact_scores(session_server, expected):
    with session_server.client() as client:
        for item in deep(expected)[::8]:
            want = expected.similar_items(item)
            got = body(client, "item", item, 10000, details="true")
            assert len(got) == len(want)
            assert all(abs(g["score"] - score) <= 1e-12 for g, (_, score) in zip(got, want))


def test_whole_answers_for_customers(session_server, expected):
    """All that the customer has not bought, in the order of the rule."""
    with session_server.client() as client:
        got = {who: body(client, "user", who, 10000) for who in list(expected.baskets)[::20]}
    differing(got, {who: [item for item, _ in expected.for_customer(who)] for who in got})


@pytest.mark.parametrize("neighbours", ["1", "7", "all"])
def test_answers_do_not_depend_on_what_is_stored(start, expected, tmp_path, neighbours):
    model = tmp_path / "other.model"
    done = harness.prep("build", "--neighbours", neighbours, "-o", model, independent.DATA)
    assert done.returncode == 0, done.err
    server = start(model, max_n=10000)
    with server.client() as client:
        items = deep(expected)
        got = {item: body(client, "item", item, n) for item in items for n in (5,)}
        differing(got, {item: [other for other, _ in expected.similar_items(item, 5)] for item in items})
        got = {item: body(client, "item", item, 10000) for item in items[::10]}
        differing(got, {item: [other for other, _ in expected.similar_items(item)] for item in got})
        got = {who: body(client, "user", who, 50) for who in list(expected.baskets)[::50]}
        differing(got, {who: [item for item, _ in expected.for_customer(who, 50)] for who in got})


def test_show_agrees(model, expected):
    for item in deep(expected)[::8]:
        shown = harness.prep("show", "--item", item, "-n", 300, "--json", model)
        assert shown.returncode == 0, shown.err
        text = json.dumps(json.loads(shown.out))
        want = expected.similar_items(item, 300)
        at = -1
        for other, _ in want[:20]:      # in this order, whatever else stands around them
            found = text.find(json.dumps(other), at + 1)
            assert found > at, (item, other)
            at = found
