"""aiohttp with PyJWT, as most who were given signet's task have written it, but tuned: one client session, no limit to
its connections, nothing decompressed, nothing logged, small answers in one write, and uvloop where it is installed."""

import asyncio
import datetime
import os
import sys
import uuid

import aiohttp
import jwt
from aiohttp import web

try:
    import uvloop
except ImportError:
    uvloop = None

UPSTREAM = os.environ["BENCH_UPSTREAM"]
KEY = bytes.fromhex(os.environ["BENCH_SECRET"])
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "host", "x-my-jwt"}
SMALL = 64 * 1024  # octets of a body that is read whole rather than streamed
PIECE = 256 * 1024


def token():
    now = datetime.datetime.now(datetime.timezone.utc)
    claims = {
        "iat": int(now.timestamp()),
        "payload": {"user": "username", "date": now.strftime("%Y-%m-%d")},
        "jti": str(uuid.uuid4()),
    }
    return jwt.encode(claims, KEY, algorithm="HS512")


def end_to_end(headers):
    return [(name, value) for name, value in headers.items() if name.lower() not in HOP_BY_HOP]


async def body_of(request):
    if not request.can_read_body:
        return None
    if request.content_length is not None and request.content_length <= SMALL:
        return await request.read()
    return request.content.iter_chunked(PIECE)


async def forward(request):
    headers = end_to_end(request.headers) + [("x-my-jwt", token())]
    session = request.app["session"]
    answer = session.request(
        request.method, UPSTREAM + request.path_qs, headers=headers, data=await body_of(request), allow_redirects=False
    )
    async with answer as received:
        fields = end_to_end(received.headers)
        if received.content_length is not None and received.content_length <= SMALL:
            return web.Response(status=received.status, headers=fields, body=await received.read())
        response = web.StreamResponse(status=received.status, headers=fields)
        await response.prepare(request)
        async for piece in received.content.iter_chunked(PIECE):
            await response.write(piece)
        await response.write_eof()
        return response


async def main():
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:
        app = web.Application(client_max_size=0)
        app["session"] = session
        app.router.add_route("*", "/{path:.*}", forward)
        runner = web.AppRunner(app, access_log=None, keepalive_timeout=600)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        print(f"listening  http://127.0.0.1:{port}", file=sys.stderr, flush=True)
        await asyncio.Event().wait()


if uvloop is not None:
    uvloop.install()
asyncio.run(main())
