"""The tasks of workers, by name; each gets the id of what it is about."""

from typing import Final

QUEUE: Final = "scheduler"
TICK: Final = "scheduler.tick"
PREPARE: Final = "scheduler.prepare"
PUBLISH: Final = "scheduler.publish"
RECONCILE: Final = "scheduler.reconcile"
CONFIRM: Final = "scheduler.confirm"
CHECK_CHANNEL: Final = "scheduler.check_channel"
RENEW_TOKENS: Final = "scheduler.renew_tokens"
CHANNEL_HEALTH: Final = "scheduler.channel_health"
