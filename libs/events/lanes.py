"""Which of the events at hand may be handled next."""

from collections.abc import Iterable, Mapping, Sequence

from libs.events.wire import Delivery


class Lanes:
    """Events waiting and in work, one lane an ordering key.

    Of each key at most one event is in work; the others follow in the order they came. ``sizes``
    gives for each type how many events one call may take.
    """

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._sizes = sizes
        self._waiting: list[Delivery] = []
        self._busy: dict[str, Delivery] = {}

    @property
    def waiting(self) -> int:
        """How many events wait."""
        return len(self._waiting)

    def held(self) -> list[Delivery]:
        """Everything that waits or is in work."""
        return [*self._busy.values(), *self._waiting]

    def add(self, deliveries: Iterable[Delivery]) -> None:
        """Takes in what was read; an entry that is here already is not taken twice."""
        known = {(d.stream, d.entry) for d in self.held()}
        self._waiting += [d for d in deliveries if (d.stream, d.entry) not in known]

    def take(self) -> list[Delivery]:
        """The next events for one call, all of one type and of different keys; empty if none."""
        taken: list[Delivery] = []
        blocked = set(self._busy)
        for delivery in self._waiting:
            key = delivery.event.ordering_key
            if key not in blocked and (not taken or _alike(delivery, taken[0])):
                taken.append(delivery)
                if len(taken) >= self._limit(taken[0]):
                    break
            blocked.add(key)
        self._busy |= {d.event.ordering_key: d for d in taken}
        self._waiting = [d for d in self._waiting if d not in taken]
        return taken

    def _limit(self, first: Delivery) -> int:
        # What failed before is handled alone, so that it cannot spoil a batch for ever.
        return self._sizes.get(first.event.type, 1) if first.event.attempt == 1 else 1

    def done(self, deliveries: Sequence[Delivery]) -> None:
        """These are no longer in work: their lanes are open for the next."""
        for delivery in deliveries:
            del self._busy[delivery.event.ordering_key]


def _alike(one: Delivery, other: Delivery) -> bool:
    """Whether both may go into one call: of one type, and neither has failed before."""
    return one.event.type == other.event.type and one.event.attempt == other.event.attempt == 1
