"""What the server tells of its own predictions, against what clients got; and the names that answers have."""
import collections
import os
import re
import signal

import pytest

import harness
from harness import until

# Customer 1's most similar is 2 (A, B of A, B, C); 4 shares nothing with anybody; E is bought with D alone.
ROWS = [("1", "A"), ("1", "B"), ("2", "A"), ("2", "B"), ("2", "C"), ("3", "C"), ("3", "D"), ("3", "E"), ("4", "x/y")]
NAME = re.compile(r"[0-9a-f]{24}")
USER_1 = (2 / (2 * 3) ** 0.5)

# path, kind, outcome, ids of its own, ids of the fill, top score
ASKED = [
    ("user/1?n=1", "user", "full", 1, 0, USER_1),
    ("user/1?n=2&details=true", "user", "filled", 1, 1, USER_1),
    ("user/1?n=50", "user", "short", 1, 3, USER_1),
    ("user/4?n=3", "user", "filled", 0, 3, None),
    ("item/A?n=1", "item", "full", 1, 0, 1),
    ("item/A?n=2", "item", "full", 2, 0, 1),
    ("item/E?n=9&details=1", "item", "short", 2, 0, 1),
    ("item/x%2Fy", "item", "short", 0, 0, None),
    ("user/nobody", "user", "unknown", 0, 0, None),
    ("item/nothing?details=1", "item", "unknown", 0, 0, None),
]


def test_predictions_are_told_as_clients_got_them(start, small):
    server = start(small(ROWS), workers=2)
    want, ids, score, results = (collections.Counter() for _ in range(4))
    for turn in range(3):
        for path, kind, outcome, own, fill, top in ASKED[turn:]:
            answer = server.get("/predict/" + path)
            assert answer.status == (404 if outcome == "unknown" else 200)
            if outcome != "unknown":
                assert answer.json["total"] == own + fill
                results[kind, own] += 1
            want[kind, outcome] += 1
            ids[kind] += own
            ids["popular"] += fill
            if top is not None:
                score[kind, top] += 1
    for bad in ("user/1?n=0", "item/A?details=maybe", "item/A?n=1&n=2"):        # no predictions
        assert server.get("/predict/" + bad).status == 422
    assert server.get("/predict/user/1", "POST").status == server.get("/predict/user/1", "HEAD").status == 405
    samples = server.metrics()
    for kind in ("user", "item"):
        for outcome in ("full", "filled", "short", "unknown"):
            assert samples[f'akin_predictions_total{{kind="{kind}",outcome="{outcome}"}}'] == want[kind, outcome]
        assert samples[f'akin_predicted_ids_total{{source="{kind}"}}'] == ids[kind]
        assert samples[f'akin_prediction_own_results_sum{{kind="{kind}"}}'] == ids[kind]
        for le in (0, 1, 2, 5, 10, 20, 50, 100):
            assert (samples[f'akin_prediction_own_results_bucket{{kind="{kind}",le="{le}.0"}}']
                    == sum(n for (k, own), n in results.items() if k == kind and own <= le))
        tops = {top: n for (k, top), n in score.items() if k == kind}
        assert samples[f'akin_prediction_top_score_count{{kind="{kind}"}}'] == sum(tops.values())
        assert samples[f'akin_prediction_top_score_sum{{kind="{kind}"}}'] == pytest.approx(sum(t * n for t, n in tops.items()))
        for le in ("0.1", "0.8", "0.9", "1.0"):
            assert (samples[f'akin_prediction_top_score_bucket{{kind="{kind}",le="{le}"}}']
                    == sum(n for t, n in tops.items() if t <= float(le)))
    assert samples['akin_predicted_ids_total{source="popular"}'] == ids["popular"]


def test_answers_have_names_and_refusals_have_none(start, small):
    server = start(small(ROWS), workers=1)
    seen = []
    for path, _, outcome, *_ in ASKED * 2:
        answer = server.get("/predict/" + path).json
        if outcome == "unknown":
            assert list(answer) == ["detail"]
            continue
        assert list(answer) == ["success", "type", "total", "data", "recommendation_id"]
        assert NAME.fullmatch(answer["recommendation_id"])
        seen.append(answer["recommendation_id"])
    first = int(seen[0][:16], 16)       # others have asked before: whether it answers
    assert [int(name[:16], 16) for name in seen] == list(range(first, first + len(seen)))
    assert len({name[16:] for name in seen}) > len(seen) - 2    # a hash of each


def test_a_worker_goes_on_where_a_dead_one_stopped(start, small):
    server = start(small(ROWS), workers=1)
    before = server.get("/predict/user/1").json["recommendation_id"]
    told = server.metric("akin_predictions_total", kind="user", outcome="short")
    pid, = server.workers()
    os.kill(pid, signal.SIGKILL)
    until(lambda: server.workers() not in ([], [pid]) and server.answers(), "another worker")
    after = server.get("/predict/user/1").json["recommendation_id"]
    assert int(after[:16], 16) > int(before[:16], 16)
    assert server.metric("akin_predictions_total", kind="user", outcome="short") == told + 1


def test_other_servers_make_other_names(start, small):
    model = small(ROWS)
    names = [start(model, workers=1).get("/predict/user/1").json["recommendation_id"] for _ in range(2)]
    assert names[0][16:] != names[1][16:]


def test_without_feedback_answers_are_what_they_were(start, small):
    server = start(small(ROWS), workers=1, feedback="off")
    assert server.get("/predict/user/1?n=1").body == b'{"success":true,"type":"user_based","total":1,"data":{"1":["C"]}}'
    assert server.get("/predict/item/x%2Fy").body == b'{"success":true,"type":"item_based","total":0,"data":{"x/y":[]}}'
    assert server.metric("akin_predictions_total", kind="user", outcome="full") == 1


def test_without_metrics_answers_have_names_all_the_same(start, small):
    server = start(small(ROWS), workers=1, metrics="off")
    names = [server.get("/predict/user/1").json["recommendation_id"] for _ in range(2)]
    assert int(names[1][:16], 16) == int(names[0][:16], 16) + 1


@pytest.mark.parametrize("asked, entries", [(64, 64), (65, 128), (1000000, 1048576)])
def test_the_ring_takes_the_room_that_its_setting_says(start, small, asked, entries):
    model = small(ROWS)

    def size(**settings):
        return start(model, workers=2, **settings).metric("akin_shared_memory_bytes", segment="board")

    without = size(feedback="off")
    # 40 for the answer, 32 for what is kept of the events that tell of it
    assert abs(size(feedback_ring=asked) - without - 2 * 72 * entries) <= 2 * 4096


def test_details_have_the_scores_that_are_told(start, small):
    """With details the scores are computed for the client, and told from that; without, for the telling alone."""
    server = start(small(ROWS), workers=1)
    tell = 'akin_prediction_top_score_sum{kind="item"}'
    plain, detailed = ("/predict/item/C?n=4", "/predict/item/C?n=4&details=true")
    server.get(plain)
    first = server.metrics()[tell]
    top = server.get(detailed).json["data"]["C"][0]["score"]
    assert server.metrics()[tell] - first == pytest.approx(first) == pytest.approx(top)
