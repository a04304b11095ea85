# SPDX-License-Identifier: Apache-2.0
"""A plain ASGI application for uvicorn; it writes the access log, since uvicorn's own has no sizes."""
import asyncio
import time

from answer import Answer, log


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    begin = time.monotonic()
    received, more = 0, True
    while more:
        message = await receive()
        received += len(message.get("body", b""))
        more = message.get("more_body", False)
    target = scope["raw_path"].decode()
    if scope["query_string"]:
        target += "?" + scope["query_string"].decode()
    answer = Answer(target)
    if answer.seconds:
        await asyncio.sleep(answer.seconds)
    headers = [(b"content-type", b"text/plain")]
    if not answer.chunked:
        headers.append((b"content-length", str(answer.size).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if answer.chunked:
        for piece in answer.pieces():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    else:
        await send({"type": "http.response.body", "body": answer.body})
    log(scope["method"], target, answer, received, time.monotonic() - begin, scope["client"][1])
