"""The conversation on a WebSocket: the greeting, then requests and their answers, one after the other."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from aiohttp import WSMessage, WSMsgType

from feeds.admission.inbound import Inbound, Verdict
from feeds.connections.drain import drained
from feeds.connections.peers import Peer
from feeds.connections.service import Service
from feeds.connections.upgrade import Upgraded
from feeds.engine.desk import InTurn
from feeds.errors import CloseCode, Code, RequestError
from feeds.fanout.group import Member
from feeds.faults.injector import Injector
from feeds.faults.link import Link
from feeds.observation.visit import Visit
from feeds.protocol.gate import Gate
from feeds.protocol.reply import Reply
from feeds.protocol.session import Session
from feeds.wire.frame import pong_frame
from feeds.wire.transport import Line

__all__ = ["Call", "Conversations"]

_CONTROL = (WSMsgType.PING, WSMsgType.PONG)
_TALK = (WSMsgType.TEXT, WSMsgType.BINARY, *_CONTROL)


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One connection that is talking."""

    ws: Upgraded
    inbound: Inbound
    transport: Line
    member: Member
    gate: Gate
    visit: Visit
    link: Link

    def gone(self) -> bool:
        return self.ws.closed or self.transport.closed() or self.member.group is None


class Conversations:
    """
    What the connections of one feed say.

    Args:
        service: what serves them.
        faults: what can go wrong on command.
        let_go: is called before we close: the call, the close code and the reason.
    """

    def __init__(
        self,
        service: Service,
        faults: Injector,
        let_go: Callable[[Call, int, str], object],
    ) -> None:
        self._feed, self._pump = service.feed, service.pump
        self._desk, self._clock = service.desk, service.clock
        self._handshake_s = service.config.limits.handshake_s
        self._faults, self._let_go = faults, let_go

    async def hang_up(self, call: Call, code: CloseCode, reason: str) -> None:
        """Close, with a code and a reason."""
        self._let_go(call, code, reason)
        await call.ws.close(code=code, message=reason.encode()[:120])

    async def talk(self, call: Call, peer: Peer) -> None:
        """Greet, then answer requests, as long as both sides are there."""
        hub, seconds, member = self._feed.hub, self._clock.seconds, call.member
        session = Session(self._feed, member, call.gate, call.visit)
        until = asyncio.get_running_loop().time() + self._handshake_s
        if not call.gone():
            hub.reply(member, self._feed.hello(auth=call.gate.locked), seconds())
        while True:
            waiting = self._receive(call, until) if call.gate.hurried else call.ws.receive()
            received = call.visit.received(await waiting)
            if received.type not in _TALK:
                return
            peer.answered = False
            await self._pump.may_answer()
            with self._pump.answers:
                verdict = await self._answer(session, call, received)
            peer.answered = True
            peer.heard(seconds())
            if verdict is not None:  # past the answer: who is closed may take its time, too
                await self.hang_up(call, *verdict)

    async def _answer(self, session: Session, call: Call, received: WSMessage) -> Verdict | None:
        """Answer one message; a long answer piece by piece. Tells with what to close, if that is to follow."""
        hub, seconds, member = self._feed.hub, self._clock.seconds, call.member
        answers = iter(self._answers(session, call, received))
        desk: InTurn = self._desk
        while not call.gone():
            async with desk:
                reply = None if call.gone() else next(answers, None)
                if reply is not None and reply.message:
                    hub.reply(member, reply.message, seconds())
            if reply is None:
                return None
            if reply.close is not None:
                return reply.close, reply.reason
            if not reply.message:
                await asyncio.sleep(0)  # between two pieces, others have their turn
                desk = desk if received.type in _CONTROL else self._desk.long
            del reply  # it is kept once, where it waits to be read
            # A client that asks and doesn't read gets no further answers; the hub looks after what is unread.
            await drained(member, call.transport, hub, seconds)
        return None

    async def _receive(self, call: Call, until: float) -> WSMessage:
        """Wait for the next message of who hasn't shown a token; close the connection when the time for it is up."""
        try:
            async with asyncio.timeout_at(until) as limit:
                return await call.ws.receive()
        except TimeoutError:
            if not limit.expired():
                raise
        text = f"not authenticated within {self._handshake_s:g} s"
        await self.hang_up(call, CloseCode.POLICY_VIOLATION, text)
        return WSMessage(WSMsgType.CLOSED, None, None)

    def _answers(self, session: Session, call: Call, received: WSMessage) -> Iterable[Reply]:
        now, link = self._clock.seconds(), call.link
        if received.type is WSMsgType.PING:
            if link.open and not link.hits("no_pong"):
                self._feed.hub.control(link.member, pong_frame(received.data), now)
            return [
                Reply(b"")
            ]  # a client that pings and doesn't read is waited for, like one that asks
        if received.type is WSMsgType.PONG:
            refused = call.inbound.refused  # after the last message that was read, comes a pong
            return [] if refused is None else [Reply(b"", *refused)]
        if (slow_down := session.too_fast(received.data)) is not None:
            return [slow_down]
        if received.type is WSMsgType.TEXT:
            if (instead := self._faults.request(link, received.data)) is not None:
                return [instead]
            return session.handle(received.data, now)
        size = len(received.data)
        text = f"a binary message of {size} bytes; requests are JSON in text messages"
        return [session.refuse(RequestError(Code.BINARY_FRAME, text))]
