"""The tasks of workers, by name; each gets the id of what it is about."""

from typing import Final

QUEUE: Final = "scheduler"
TICK: Final = "scheduler.tick"
PREPARE: Final = "scheduler.prepare"
PUBLISH: Final = "scheduler.publish"
RECONCILE: Final = "scheduler.reconcile"
CONFIRM: Final = "scheduler.confirm"
WATCH_REMOTE: Final = "scheduler.watch_remote"
CHECK_REMOTE: Final = "scheduler.check_remote"
LATE: Final = "scheduler.late"
PRECHECK: Final = "scheduler.precheck"
CHECK_CHANNEL: Final = "scheduler.check_channel"
RENEW_TOKENS: Final = "scheduler.renew_tokens"
COLLECT_RESULTS: Final = "scheduler.collect_results"
FAILURES: Final = "scheduler.failures"
CHANNEL_HEALTH: Final = "scheduler.channel_health"
