"""A stand-in of a program that receives Standard Webhooks."""

from tests.support.webhook.stand_in import ACCOUNT, SECRET, WebhookStandIn

__all__ = ["ACCOUNT", "SECRET", "WebhookStandIn"]
