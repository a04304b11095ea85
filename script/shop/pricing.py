# SPDX-License-Identifier: Apache-2.0
"""What a product costs today."""
import random
import time

import flask

app = flask.Flask(__name__)


@app.get("/prices/<sku>")
def price(sku):
    time.sleep(random.uniform(0.002, 0.02))
    return {"cents": int(sku) * 3}
