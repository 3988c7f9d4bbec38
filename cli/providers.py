"""What one needs to connect an account of each provider."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider: whose account, with which key, and at which address."""

    name: str
    account: str
    key: str
    endpoint: str = "needs none"


PROVIDERS: Final = (
    Provider("buffer", "the channel's id at Buffer", "an API key of Buffer"),
    Provider(
        "mastodon",
        "@you",
        "an access token with read, write:statuses and write:media",
        "the server, https://mastodon.example",
    ),
    Provider(
        "bluesky", "your handle", "an app password", "your server, if it is not https://bsky.social"
    ),
    Provider(
        "webhook",
        "any name that your program knows",
        "the signing secret, whsec_… (24 to 64 bytes)",
        "your program, https://studio.example/hook",
    ),
    Provider(
        "postiz",
        "the id of the integration at Postiz",
        "an API key of Postiz",
        "your server, https://postiz.example/api/public/v1",
    ),
    Provider(
        "instagram",
        "the numeric id of the professional account",
        "a long-lived access token",
        "https://graph.facebook.com for tokens of Facebook Login",
    ),
)
