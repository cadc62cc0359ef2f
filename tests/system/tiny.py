"""The least shop that has something to recommend, and what it answers."""
ROWS = [("1", "A"), ("1", "B"), ("2", "A"), ("2", "B"), ("2", "C"), ("3", "C"), ("3", "D")]
ANSWER = {"A": ["B", "C"]}


def fine(server):
    return server.get("/predict/item/A?n=5").json["data"] == ANSWER
