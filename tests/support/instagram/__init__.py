"""A stand-in of Instagram's Graph API."""

from tests.support.instagram.stand_in import ACCOUNT_ID, TOKEN, InstagramStandIn

__all__ = ["ACCOUNT_ID", "TOKEN", "InstagramStandIn"]
