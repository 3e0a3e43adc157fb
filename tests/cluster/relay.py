"""A relay between nodes: one plane between two of them can be blocked.

Each node reaches its peers through an address of its own, 127.0.1.ID, where the relay listens on the
peers' ports; so it knows who speaks to whom on which plane.
"""
import asyncio
import threading

CONTROL, CHANNEL, CHECKPOINT, HEARTBEAT, VALUE = range(5)


class Relay:
    """For nodes that are not started yet: options(node) tells them to use it."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.blocked = set()  # (from, to, plane): nothing passes
        self.servers = []
        self.loop = asyncio.new_event_loop()
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        assert self.ready.wait(10)

    def options(self, node):
        return {"peers": ",".join([f"127.0.1.{node}"] * self.cluster.n_nodes)}

    def others(self, node):
        return [it for it in range(1, self.cluster.n_nodes + 1) if it != node]

    def block(self, plane, sources, targets):
        self.blocked |= {(a, b, plane) for a in sources for b in targets if a != b}

    def pass_all(self):
        self.blocked = set()

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    def _run(self):
        asyncio.set_event_loop(self.loop)
        nodes = range(1, self.cluster.n_nodes + 1)
        for link in [(a, b, plane) for a in nodes for b in nodes for plane in range(5) if a != b]:
            self.loop.run_until_complete(self._listen(link))
        self.ready.set()
        self.loop.run_forever()
        for server in self.servers:
            server.close()
        while tasks := asyncio.all_tasks(self.loop):
            for task in tasks:
                task.cancel()
            self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.close()

    async def _listen(self, link):
        source, target, plane = link
        port = self.cluster.node_port(target, plane)

        async def accept(reader, writer):
            try:
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                writer.close()
                return
            back = (target, source, plane) if plane == HEARTBEAT else None
            await asyncio.gather(self._pump(link, reader, far_writer),
                                 self._pump(back, far_reader, writer))
        self.servers.append(await asyncio.start_server(accept, f"127.0.1.{source}", port))

    async def _pump(self, link, reader, writer):
        """What flows back on a connection is ZMTP's own, but for the feed, which flows to who connected."""
        try:
            while data := await reader.read(65536):
                if link:
                    await self.hold(link)
                writer.write(data)
                await writer.drain()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def hold(self, link):
        """Until what was read on the link may go on."""
        while link in self.blocked:
            await asyncio.sleep(0.02)
