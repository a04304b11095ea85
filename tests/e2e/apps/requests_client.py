# SPDX-License-Identifier: Apache-2.0
"""Python clients: requests_client.py requests|httpx|httpx-async BASE FILE; like node_client.mjs."""
import asyncio
import json
import os
import sys
import threading

LOG = open(os.environ["CLIENT_LOG"], "w", encoding="utf-8")
LOCK = threading.Lock()


def record(line, answer):
    with LOCK:
        LOG.write(json.dumps({"method": line["method"], "target": line["target"], "status": answer.status_code,
                              "response_bytes": len(answer.content), "request_bytes": line["bytes"]}) + "\n")


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


async def with_tasks(lines, base):
    import httpx
    async with httpx.AsyncClient() as client:
        async def worker(part):
            for line in part:
                record(line, await client.request(line["method"], base + line["target"],
                                                  content=b"y" * line["bytes"] if line["bytes"] else None))

        await asyncio.gather(*(worker(lines[i::8]) for i in range(8)))


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
    else:
        asyncio.run(with_tasks(lines, base))
    LOG.close()


main()
