"""The `mcp` command spoken to by hand: its standard output carries the protocol only, and it ends when it should."""

import asyncio
import json
import signal
import sys
from typing import Any

from config.environment.env import CHECKOUT
from tests.helpers.installation import Installation

HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
CALL = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "list_projects", "arguments": {}}}


def test_stdout_carries_only_the_protocol(installation: Installation) -> None:
    """A process that is spoken to by hand; its log goes to stderr at its most talkative."""
    asked = [HELLO, {"jsonrpc": "2.0", "method": "notifications/initialized"}, CALL]
    lines, stderr, code = asyncio.run(spoken(installation, asked))
    assert code == 0, stderr
    replies = [json.loads(line) for line in lines]
    assert [(reply["jsonrpc"], reply["id"]) for reply in replies] == [("2.0", 1), ("2.0", 2)]
    assert replies[0]["result"]["serverInfo"]["name"] == "quarry"
    assert replies[1]["result"]["structuredContent"]["code"] == "no_api_key"
    assert '"level": "debug"' in stderr


def test_an_interrupt_ends_it_although_stdin_is_open(installation: Installation) -> None:
    lines, stderr, code = asyncio.run(spoken(installation, [HELLO], interrupt=True))
    assert len(lines) == 1
    assert code == -signal.SIGINT, stderr


async def spoken(
    installation: Installation, messages: list[dict[str, Any]], *, interrupt: bool = False
) -> tuple[list[str], str, int]:
    """Return stdout's lines, stderr and the exit code of `manage.py mcp` after it was sent the messages.

    Then its stdin is closed, or with `interrupt` it gets a SIGINT instead.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(CHECKOUT / "manage.py"),
        "mcp",
        env=installation.environment({"LOG_LEVEL": "DEBUG"}),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    errors = asyncio.ensure_future(process.stderr.read())
    lines = []
    try:
        async with asyncio.timeout(120):
            for message in messages:
                process.stdin.write(json.dumps(message).encode() + b"\n")
                await process.stdin.drain()
                if "id" in message:
                    lines.append((await process.stdout.readline()).decode())
            if interrupt:
                process.send_signal(signal.SIGINT)
            else:
                process.stdin.close()
            lines += (await process.stdout.read()).decode().splitlines()
            code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
    return lines, (await errors).decode(), code
