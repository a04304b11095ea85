# SPDX-License-Identifier: Apache-2.0
"""Python clients: requests_client.py requests|httpx|httpx-async|httpx-h2|aiohttp|pycurl BASE FILE; like node_client.mjs."""
import asyncio
import json
import os
import sys
import threading

LOG = open(os.environ["CLIENT_LOG"], "w", encoding="utf-8")
LOCK = threading.Lock()


def record_line(line, status, size):
    with LOCK:
        LOG.write(json.dumps({"method": line["method"], "target": line["target"], "status": status,
                              "response_bytes": size, "request_bytes": line["bytes"]}) + "\n")


def record(line, answer):
    record_line(line, answer.status_code, len(answer.content))


def with_threads(make, lines, base, redirects):
    def worker(part):
        with make() as client:
            for line in part:
                record(line, client.request(line["method"], base + line["target"],
                                            data=b"y" * line["bytes"] if line["bytes"] else None, **redirects))

    threads = [threading.Thread(target=worker, args=(lines[i::4],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


async def with_tasks(lines, base, http2):
    import httpx
    async with httpx.AsyncClient(http2=http2) as client:
        async def worker(part):
            for line in part:
                record(line, await client.request(line["method"], base + line["target"],
                                                  content=b"y" * line["bytes"] if line["bytes"] else None))

        await asyncio.gather(*(worker(lines[i::8]) for i in range(8)))


async def with_aiohttp(lines, base):
    import ssl
    import aiohttp
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context())  # trusts SSL_CERT_FILE
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as client:
        async def worker(part):
            for line in part:
                async with client.request(line["method"], base + line["target"], allow_redirects=False,
                                          data=b"y" * line["bytes"] if line["bytes"] else None) as answer:
                    record_line(line, answer.status, len(await answer.read()))

        await asyncio.gather(*(worker(lines[i::8]) for i in range(8)))


def with_pycurl(lines, base):
    """One multi handle and eight transfers at a time: curl's own BIO beneath OpenSSL, on one thread."""
    import pycurl
    multi = pycurl.CurlMulti()
    left = list(reversed(lines))

    def begin(handle):
        handle.line = left.pop()
        handle.size = 0

        def take(data):
            handle.size += len(data)

        handle.reset()
        handle.setopt(pycurl.URL, base + handle.line["target"])
        handle.setopt(pycurl.CUSTOMREQUEST, handle.line["method"])
        handle.setopt(pycurl.CAINFO, os.environ["SSL_CERT_FILE"])
        handle.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        handle.setopt(pycurl.WRITEFUNCTION, take)
        handle.setopt(pycurl.HTTPHEADER, ["Expect:"])
        if handle.line["bytes"]:
            handle.setopt(pycurl.COPYPOSTFIELDS, "y" * handle.line["bytes"])
        multi.add_handle(handle)

    busy = min(8, len(left))
    handles = [pycurl.Curl() for _ in range(busy)]
    for handle in handles:
        begin(handle)
    while busy:
        multi.perform()
        _, done, failed = multi.info_read()
        assert not failed, failed
        for handle in done:
            record_line(handle.line, handle.getinfo(pycurl.RESPONSE_CODE), handle.size)
            multi.remove_handle(handle)
            busy -= 1
            if left:
                begin(handle)
                busy += 1
        multi.select(0.2)


def main():
    kind, base, file = sys.argv[1:]
    with open(file, encoding="utf-8") as source:
        lines = [json.loads(line) for line in source]
    if kind == "requests":
        import requests
        with_threads(requests.Session, lines, base, {"allow_redirects": False})
    elif kind == "httpx":
        import httpx
        with_threads(httpx.Client, lines, base, {})
    elif kind == "aiohttp":
        asyncio.run(with_aiohttp(lines, base))
    elif kind == "pycurl":
        with_pycurl(lines, base)
    else:
        asyncio.run(with_tasks(lines, base, kind == "httpx-h2"))
    LOG.close()


main()
