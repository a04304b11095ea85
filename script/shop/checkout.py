# SPDX-License-Identifier: Apache-2.0
"""Orders: asks cart and pricing. Every fifth payment fails."""
import itertools
import os
import time

import flask
import requests

app = flask.Flask(__name__)
PRICING, CART = os.environ["PRICING_URL"], os.environ["CART_URL"]
ORDERS = itertools.count(1)


@app.post("/orders")
def order():
    customer = flask.request.get_json()["customer"]
    skus = requests.get(f"{CART}/carts/{customer}", timeout=5).json()["skus"]
    total = sum(requests.get(f"{PRICING}/prices/{sku}", timeout=5).json()["cents"] for sku in skus)
    number = next(ORDERS)
    time.sleep(0.05)
    if number % 5 == 0:
        return {"error": "payment provider does not answer"}, 503
    requests.delete(f"{CART}/carts/{customer}", timeout=5)
    return {"order": number, "cents": total}, 201
