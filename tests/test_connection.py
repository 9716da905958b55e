"""One connection by itself. What a client makes of it is in test_client."""

import errno
import socket
import ssl

import pytest
from fake_feed import FakeFeed, plays

from clients.core.connection import Connection, describe
from clients.failures import ConnectionLostError


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('::1', 1)"), "Connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (ssl.SSLError(1, "wrong version number"), "wrong version number"),
        (OSError("Multiple exceptions: …"), "Multiple exceptions: …"),
    ],
)  # fmt: skip
def test_an_error_is_described_without_addresses_and_numbers(error: OSError, words: str) -> None:
    """The address is in the message already."""
    assert describe(error) == words


@pytest.mark.asyncio
async def test_what_is_sent_on_a_closed_connection_is_lost() -> None:
    """And says so, rather than waiting for a reply."""
    async with FakeFeed(plays()) as feed:
        connection = await Connection.open(feed.url)
        await connection.close()
        with pytest.raises(ConnectionLostError, match="the connection is down"):
            await connection.send({"action": "ping"})
