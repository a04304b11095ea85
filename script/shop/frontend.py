# SPDX-License-Identifier: Apache-2.0
"""The shop's pages: asks catalog, cart and checkout."""
import os

import flask
import requests

app = flask.Flask(__name__)
CATALOG, CART, CHECKOUT = (os.environ[f"{name}_URL"] for name in ("CATALOG", "CART", "CHECKOUT"))


def page(answer):
    return flask.Response(answer.content, status=answer.status_code, content_type=answer.headers["Content-Type"])


@app.get("/")
def home():
    return page(requests.get(f"{CATALOG}/products", timeout=5))


@app.get("/products/<sku>")
def product(sku):
    return page(requests.get(f"{CATALOG}/products/{sku}", timeout=5))


@app.post("/carts/<customer>")
def add_to_cart(customer):
    return page(requests.post(f"{CART}/carts/{customer}", json=flask.request.get_json(), timeout=5))


@app.post("/checkout/<customer>")
def checkout(customer):
    return page(requests.post(f"{CHECKOUT}/orders", json={"customer": customer}, timeout=5))


@app.get("/bestsellers")
def bestsellers():
    return page(requests.get(f"{CATALOG}/reports/bestsellers", timeout=5))
