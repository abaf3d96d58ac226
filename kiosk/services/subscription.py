"""Bounded subscriptions: who does not keep up is told to ask again, and nothing grows without a bound."""

import asyncio
from collections import deque
from typing import Final, Self

from kiosk.messages import DeskMessage, Resync

MESSAGES_MAX: Final = 1_000


class Subscription:
    """An async iterator over the desk's messages; on overflow the backlog becomes one `Resync`.

    Use it on the event loop of the desk; it ends when it is closed or the desk is.
    """

    def __init__(self, hub: "Hub", messages_max: int = MESSAGES_MAX) -> None:
        self._hub = hub
        self._messages: deque[DeskMessage] = deque()
        self._messages_max = messages_max
        self._arrived = asyncio.Event()
        self._closed = False

    def put(self, message: DeskMessage) -> None:
        """Queue a message, or fall back to one Resync."""
        if self._closed:
            return
        if len(self._messages) >= self._messages_max:
            dropped = len(self._messages) + 1
            self._messages.clear()
            message = Resync(dropped)
        self._messages.append(message)
        self._arrived.set()

    def close(self) -> None:
        """End the iteration after what is queued."""
        self._closed = True
        self._hub.forget(self)
        self._arrived.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> DeskMessage:
        while not self._messages:
            if self._closed:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        return self._messages.popleft()


class Hub:
    """Hands each message to all subscriptions."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []

    def subscribe(self) -> Subscription:
        """A new subscription from now on."""
        subscription = Subscription(self)
        self._subscriptions.append(subscription)
        return subscription

    def publish(self, message: DeskMessage) -> None:
        """Tell everybody; never waits."""
        for subscription in tuple(self._subscriptions):
            subscription.put(message)

    def forget(self, subscription: Subscription) -> None:
        """Stop handing messages to a closed subscription."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    def close(self) -> None:
        """End every subscription."""
        for subscription in tuple(self._subscriptions):
            subscription.close()
