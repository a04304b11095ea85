# SPDX-License-Identifier: Apache-2.0
"""What each customer has chosen, in memory."""
import collections
import time

import flask

app = flask.Flask(__name__)
CARTS = collections.defaultdict(list)


@app.post("/carts/<customer>")
def add(customer):
    CARTS[customer].append(flask.request.get_json()["sku"])
    return {"items": len(CARTS[customer])}, 201


@app.get("/carts/<customer>")
def show(customer):
    time.sleep(0.01)
    return {"skus": CARTS[customer]}


@app.delete("/carts/<customer>")
def empty(customer):
    CARTS.pop(customer, None)
    return "", 204
