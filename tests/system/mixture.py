"""Requests of all kinds, and how each must be counted: of the shop in tiny.py."""
ASKED = [   # path, method, handler, status
    ("/predict/item/A", "GET", "/predict/item/{item_id}", 200),
    ("/predict/item/none", "GET", "/predict/item/{item_id}", 404),
    ("/predict/item/A?n=x", "GET", "/predict/item/{item_id}", 422),
    ("/predict/user/1", "GET", "/predict/user/{user_id}", 200),
    ("/predict/user/nobody", "GET", "/predict/user/{user_id}", 404),
    ("/", "GET", "/", 200),
    ("/nope", "GET", "none", 404),
    ("/wp-login.php", "GET", "none", 404),
    ("/predict/item/A", "DELETE", "/predict/item/{item_id}", 405),
    ("/", "POST", "/", 405),
]


def ask(server, mine, chance, count):
    with server.client() as client:
        for _ in range(count):
            path, method, handler, status = chance.choice(ASKED)
            assert client.get(path, method).status == status
            mine[handler, method, f"{status // 100}xx"] += 1
