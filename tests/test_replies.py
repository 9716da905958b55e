"""Requests and their replies, without a socket."""

import asyncio

import pytest

from clients.core.replies import Replies
from clients.failures import ConnectionLostError, RequestError

pytestmark = pytest.mark.asyncio


async def test_a_reply_finds_its_request_by_id() -> None:
    """In whatever order they come."""
    replies = Replies()
    first, second = replies.expect({"action": "ping"}), replies.expect({"action": "ping"})
    assert [first.request["id"], second.request["id"]] == [1, 2]
    assert replies.take({"type": "pong", "id": 2, "time": 8.0}) == {"action": "ping", "id": 2}
    assert replies.take({"type": "pong", "id": 1, "time": 9.0}) == {"action": "ping", "id": 1}
    assert (await first.reply)[0]["time"] == 9.0
    assert (await second.reply)[0]["time"] == 8.0


async def test_a_reply_in_parts_is_whole_when_the_last_one_has_come() -> None:
    """`more` announces another part."""
    replies = Replies()
    listing = replies.expect({"action": "symbols"})
    replies.take({"type": "symbols", "id": 1, "more": True})
    assert not listing.reply.done()
    replies.take({"type": "symbols", "id": 1})
    assert len(await listing.reply) == 2


@pytest.mark.parametrize("id_", [1, 99, "x", None])
async def test_a_reply_that_nobody_waits_for_is_no_error(id_: object) -> None:
    """Its request timed out, or it was never ours."""
    replies = Replies()
    replies.expect({"action": "ping"}).reply.cancel()
    assert replies.take({"type": "pong", "id": id_}) is None
    await asyncio.sleep(0)
    assert replies.take({"type": "pong", "id": id_}) is None


async def test_a_refusal_raises_where_the_request_was_made() -> None:
    """With the code and the message of the server."""
    replies = Replies()
    pending = replies.expect({"action": "subscribe"})
    replies.take({"type": "error", "id": 1, "code": "unknown_symbol", "message": "no 'X'"})
    with pytest.raises(RequestError, match="no 'X'") as caught:
        await pending.reply
    assert (caught.value.code, caught.value.id) == ("unknown_symbol", 1)


async def test_the_refusal_of_a_vital_request_raises_at_once() -> None:
    """The client can't go on without it."""
    replies = Replies()
    replies.expect({"action": "auth"}, vital=True)
    with pytest.raises(RequestError):
        replies.take({"type": "error", "id": 1, "code": "invalid_value", "message": "no"})


async def test_when_the_connection_is_lost_everyone_who_waits_is_told() -> None:
    """And nobody else."""
    replies = Replies()
    vital = replies.expect({"action": "auth"}, vital=True)
    answered, waiting = replies.expect({"action": "ping"}), replies.expect({"action": "ping"})
    replies.take({"type": "pong", "id": 2})
    replies.fail(ConnectionLostError("gone"))
    assert vital.reply.cancelled()
    assert await answered.reply
    with pytest.raises(ConnectionLostError):
        await waiting.reply
