"""The same service in FastAPI, for the differential test: the routes and words that Akin has, over answers that
independent.py computes. Started as a program: PORT, MAX_N, and the rows as JSON, [[customer, item], ...]."""
import json
import pathlib
import sys

import prometheus_client
import uvicorn
from fastapi import FastAPI, HTTPException, Query, Response

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import independent


def make(rows, max_n):
    app = FastAPI(title="Akin")
    expected = independent.Expected([(customer, item, f"THING {item}") for customer, item in rows])
    size = Query(5, ge=1, le=max_n)

    def found(kind, id, ids, sources, scores, details):
        if details:
            ids = [{"id": i, "description": expected.descriptions[i], "score": score, "source": source}
                   for i, source, score in zip(ids, sources, scores)]
        return {"success": True, "type": kind, "total": len(ids), "data": {id: ids}}

    @app.get("/")
    def index():
        return {"status": "ok"}

    @app.get("/predict/user/{user_id}")
    def predict_user(user_id: str, n: int = size, details: bool = False):
        if user_id not in expected.baskets:
            raise HTTPException(404, f"User '{user_id}' not found")
        ids, sources = zip(*expected.for_customer(user_id, n))
        best, share = expected.best_customer(user_id), [len(expected.buyers[i]) / len(expected.baskets) for i in ids]
        return found("user_based", user_id, list(ids), sources,
                     [best[1] if source == "user" else s for source, s in zip(sources, share)], details)

    @app.get("/predict/item/{item_id}")
    def predict_item(item_id: str, n: int = size, details: bool = False):
        if item_id not in expected.buyers:
            raise HTTPException(404, f"Item '{item_id}' not found")
        row = expected.similar_items(item_id, n)
        return found("item_based", item_id, [i for i, _ in row], ["item"] * len(row), [s for _, s in row], details)

    @app.get("/metrics")
    def metrics():
        return Response(prometheus_client.generate_latest(), headers={"Content-Type": prometheus_client.CONTENT_TYPE_LATEST})

    return app


if __name__ == "__main__":
    uvicorn.run(make(json.loads(sys.argv[3]), int(sys.argv[2])), host="127.0.0.1", port=int(sys.argv[1]), http="h11",
                loop="asyncio", log_level="warning")
