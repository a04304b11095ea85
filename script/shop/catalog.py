# SPDX-License-Identifier: Apache-2.0
"""What the shop sells; asks pricing. Its report is slow."""
import os
import time

import flask
import requests

app = flask.Flask(__name__)
PRICING = os.environ["PRICING_URL"]
PRODUCTS = {"1001": "kettle", "1002": "lamp", "1003": "clock", "1004": "chair"}


@app.get("/products")
def products():
    return PRODUCTS


@app.get("/products/<sku>")
def product(sku):
    if sku not in PRODUCTS:
        flask.abort(404)
    price = requests.get(f"{PRICING}/prices/{sku}", timeout=5).json()
    return {"sku": sku, "name": PRODUCTS[sku], **price}


@app.get("/reports/bestsellers")
def bestsellers():
    time.sleep(0.8)
    return {"bestsellers": list(PRODUCTS)}
