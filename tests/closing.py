"""Closing a server of aiohttp that tests made, without leaving a socket behind that was accepted just before."""

from __future__ import annotations

import asyncio

from aiohttp import web

from feeds.admission.listen import stop_listening

__all__ = ["clean_up"]


async def clean_up(runner: web.AppRunner) -> None:
    """Stop listening, then do what the runner's own cleaning up does."""
    for site in runner.sites:
        server = site._server  # there is no public way to it
        assert isinstance(server, asyncio.AbstractServer)
        await stop_listening(server)
    await runner.cleanup()
