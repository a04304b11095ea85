# SPDX-License-Identifier: Apache-2.0
"""The load on the shop: one customer after the other, in no hurry. customers.py URL"""
import random
import sys
import time

import requests

SKUS = ("1001", "1002", "1003", "1004")


def visit(session, shop, customer):
    session.get(f"{shop}/")
    yield
    sku = random.choice(SKUS)
    session.get(f"{shop}/products/{sku}")
    yield
    if customer % 3 == 0:
        session.get(f"{shop}/products/9999")  # not sold here: 404
        yield
    session.post(f"{shop}/carts/{customer}", json={"sku": sku})
    yield
    session.post(f"{shop}/checkout/{customer}")
    yield
    if customer % 4 == 1:
        session.get(f"{shop}/bestsellers")  # the slow page
        yield


def main():
    shop = sys.argv[1]
    customer = 0
    while True:
        customer += 1
        with requests.Session() as session:
            for _ in visit(session, shop, customer):
                time.sleep(random.uniform(0.2, 0.6))


main()
