"""Somewhere else: a listener that notes every connection, for a mail that wants to be heard of."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"


@dataclass
class Remote:
    """Where it is, and the first line of whatever reached it; empty for a connection that said nothing."""

    port: int
    heard: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def listening() -> AsyncIterator[Remote]:
    """Note connections as long as the block lasts."""
    remote = Remote(0)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        remote.heard.append("")
        with suppress(OSError):
            line = await reader.readline()
            remote.heard[-1] = line.decode(errors="replace").strip()
            writer.write(ANSWER)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    remote.port = server.sockets[0].getsockname()[1]
    async with server:
        yield remote


def evil(url: str) -> str:
    """Write HTML that tries every way out that a mail has."""
    return f"""<!doctype html><html><head><base href="{url}/base/">
<meta http-equiv="refresh" content="0;url={url}/refresh">
<link rel="stylesheet" href="{url}/style"><link rel="preconnect" href="{url}"><link rel="dns-prefetch" href="{url}">
<link rel="preload" as="image" href="{url}/preload"><link rel="prefetch" href="{url}/prefetch">
<link rel="icon" href="{url}/icon"><link rel="manifest" href="{url}/manifest">
<style>@import url("{url}/import"); @font-face {{ font-family: f; src: url("{url}/font") }}
  p {{ font-family: f; background: url("{url}/background"); color: rgb(1, 2, 3) }}</style>
<script>fetch("{url}/script"); document.title = "changed"; top.location = "{url}/script-top"</script>
<script src="{url}/script-src"></script></head>
<body onload="fetch('{url}/onload')" background="{url}/body">
<p id="seen">Seen</p>
<img src="{url}/picture" onerror="top.location='{url}/onerror'"><img src="x" onerror="fetch('{url}/onerror2')">
<picture><source srcset="{url}/srcset"><img alt=""></picture>
<img id="own" src="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7">
<svg onload="fetch('{url}/svg')"><image href="{url}/svg-image"/><use href="{url}/svg-use#a"/></svg>
<video src="{url}/video" autoplay poster="{url}/poster"></video><audio src="{url}/audio" autoplay></audio>
<iframe src="{url}/frame"></iframe><iframe srcdoc="<link rel=preconnect hr&#101;f='{url}'>"></iframe>
<a HREF
="{url}/spelt" id="spelt" target=_self>spelt</a> <map name="m"><area href="{url}/area" shape="default"></map>
<iframe srcdoc="<img src='{url}/srcdoc'>"></iframe>
<object data="{url}/object"></object><embed src="{url}/embed">
<form action="{url}/form" method="post"><input name="a"><button id="send">Send</button></form>
<form action="{url}/form-top" target="_top"><button id="send-top">Send</button></form>
<a id="top" href="{url}/top" target="_top">top</a> <a id="parent" href="{url}/parent" target="_parent">parent</a>
<a id="blank" href="{url}/blank" target="_blank">blank</a> <a id="ping" ping="{url}/ping" href="#x">ping</a>
<a id="script" href="javascript:top.location='{url}/href'">script</a> <a id="self" href="{url}/self">self</a>
</body></html>"""


WAYS = ("send", "send-top", "top", "parent", "blank", "ping", "script", "spelt", "self")
"""What a person could press in it; the last one leaves the mail, so it comes last."""
