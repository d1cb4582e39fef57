"""Sockets: the daemons' asyncio server and client, the commands' blocking client, an in-memory pair for tests."""
