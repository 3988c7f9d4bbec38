"""What people write about: topics of feedback and issue reports, for tests of grouping texts.

Each topic is a set of things (what it is about), troubles (what is wrong with it) and details, with
several words for the same. Topics overlap on purpose: three are about signing in, four about
uploads, five about money, so no single word tells them apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """Phrases to put texts together from."""

    things: tuple[str, ...]
    troubles: tuple[str, ...]
    details: tuple[str, ...]


def _topic(things: str, troubles: str, details: str) -> Topic:
    return Topic(*(tuple(part.split("|")) for part in (things, troubles, details)))


TOPICS: Mapping[str, Topic] = {
    "password-reset": _topic(
        "password reset mail|forgot password email|password recovery message|reset password link",
        "never arrives|is not in my inbox|expired before I clicked the link|says the token is gone",
        "I asked for a new password three times|the recovery link opens an empty reset "
        "form|spam folder has no reset message either|resetting the forgotten password by mail "
        "worked before",
    ),
    "two-factor": _topic(
        "two-factor code|2FA authenticator code|one-time login code|second factor",
        "is rejected as wrong|never accepted|out of sync|refused although the code is fresh",
        "the authenticator app shows six digits and sign in refuses them|backup codes of the "
        "second factor fail too|the clock of my phone for one-time codes is right|SMS code "
        "instead of the authenticator works",
    ),
    "single-sign-on": _topic(
        "SAML single sign-on|SSO with Okta|company single sign-on|SAML login through Azure AD",
        "loops between the identity provider and login|ends in an assertion error|redirects for"
        " ever",
        "the SAML assertion lacks the audience|our identity provider says the SSO response was "
        "sent|metadata of the identity provider was renewed|only SSO accounts of the company "
        "are hit",
    ),
    "upload-large": _topic(
        "upload of large videos|big video upload|uploading files over 2 GB|large file upload",
        "stops at 99 percent|times out|breaks off near the end|has to start from zero again",
        "the upload is not resumed in chunks|a 4 GB video never gets through|small files upload"
        " well, large ones break off|the upload timeout hits on slow lines",
    ),
    "photo-rotation": _topic(
        "portrait photos|pictures taken upright|phone pictures|photo thumbnails",
        "are shown sideways|appear rotated by 90 degrees|lie on their side|come out upside down",
        "the EXIF orientation is ignored|rotating the picture by hand does not stick|thumbnails"
        " are rotated and the full photo is upright|orientation tag 6 from a phone camera",
    ),
    "photo-import-duplicates": _topic(
        "import of a photo folder|importing pictures twice|second photo import|folder import",
        "makes duplicates|doubles every picture|does not notice what is there already|adds copies",
        "the same photo is in the library two times now|duplicates with the suffix (1)|an "
        "import should skip identical pictures|deleting doubled photos by hand takes hours",
    ),
    "heic-support": _topic(
        "HEIC pictures|iPhone HEIC files|HEIC images from iOS|files ending in .heic",
        "cannot be decoded|are refused as unknown format|show a grey placeholder|fail to convert",
        "converting HEIC to JPEG first helps|the HEIC decoder is missing on the server|iOS "
        "saves HEIC by default|an unsupported image format error for heic",
    ),
    "invoice-vat": _topic(
        "VAT number on the invoice|invoice with tax id|VAT line of the invoice|our tax number",
        "is missing|is not printed|shows the wrong VAT rate|was left out of the PDF invoice",
        "accounting refuses an invoice without VAT number|reverse charge for EU companies|the "
        "tax rate on the invoice should be 0 percent|the billing address is right, only VAT is "
        "not",
    ),
    "double-charge": _topic(
        "credit card|my card|subscription payment|monthly charge",
        "was charged twice|got billed two times|shows a double payment|was debited double",
        "the bank statement has two debits of the same amount|please refund the second "
        "charge|charged twice within one minute|two payments and one receipt",
    ),
    "card-declined": _topic(
        "credit card at checkout|payment by card|card payment|paying with a new card",
        "is declined|gets refused|fails with a 3D Secure error|is declined by the bank check",
        "the bank says nothing was declined on their side|the 3D Secure window closes at "
        "once|other shops accept this card|declined with the code do_not_honor",
    ),
    "cancel-subscription": _topic(
        "cancel button of my plan|cancelling the subscription|way to cancel|ending my membership",
        "cannot be found|leads in circles|still renews|does nothing when clicked",
        "I cancelled and the plan was renewed anyway|no confirmation of the "
        "cancellation|support has to end the membership by hand|auto-renewal should stop after "
        "I cancel",
    ),
    "coupon-code": _topic(
        "discount code|coupon|promo code from the newsletter|voucher code",
        "is not applied|says invalid coupon|expired a day early|takes nothing off the price",
        "the promo banner promises 20 percent discount|the voucher field answers unknown "
        "code|coupon works on yearly plans only|the total ignores the discount",
    ),
    "dark-mode": _topic(
        "dark mode|dark theme|night theme|black background theme",
        "has unreadable grey text|forgets my choice|flashes white first|lacks contrast",
        "labels are dark on dark|the theme does not follow the system setting|tables stay white"
        " in the night theme|contrast of links in dark colours is too low",
    ),
    "keyboard-shortcuts": _topic(
        "keyboard shortcuts|hotkeys|key bindings|shortcut for search",
        "clash with the browser|do not work on a German layout|cannot be changed|are ignored",
        "Ctrl+K opens the address bar instead|let us remap key bindings|a list of all hotkeys "
        "would help|the shortcut fires while typing in a field",
    ),
    "screen-reader": _topic(
        "screen reader|VoiceOver|NVDA|reading aloud of the menu",
        "skips the buttons|announces nothing|reads only unlabeled button|loses the focus",
        "icons lack an aria-label|the focus order of the dialog is wrong for blind "
        "users|headings are not announced by the screen reader|accessibility audit of the menu "
        "failed",
    ),
    "push-notifications": _topic(
        "push notifications|notification on my phone|push messages|mobile alerts",
        "do not show up|come hours late|stopped after the update|arrive twice",
        "notifications are allowed in the phone settings|the push token seems stale|badge count"
        " rises and no alert is shown|reinstalling brings push back for a day",
    ),
    "email-digest": _topic(
        "weekly digest email|newsletter digest|summary mail every Monday|digest mail",
        "cannot be unsubscribed|keeps coming after opting out|is sent daily|arrives empty",
        "the unsubscribe link answers an error|I opted out of the digest twice|the weekly "
        "summary lists nothing|one digest a month would be enough",
    ),
    "calendar-sync": _topic(
        "Google Calendar sync|calendar subscription|iCal feed|Outlook calendar sync",
        "misses events|stopped updating|shows events twice|lags a whole day",
        "the ical url answers old events|events I delete stay in Google Calendar|Outlook "
        "refreshes the calendar feed rarely|recurring events are not synced",
    ),
    "timezone": _topic(
        "scheduled time|planned hour of posts|time zone of the schedule|posting time",
        "is off by one hour|ignores daylight saving|is shown in UTC|jumps after the clock change",
        "my time zone is Berlin and times show in London time|daylight saving began on "
        "Sunday|the hour is right in settings and wrong in the plan|time zone offset counted "
        "twice",
    ),
    "scheduled-post-missing": _topic(
        "scheduled post|queued post|planned Instagram post|post in the queue",
        "was not published|stayed in the queue|silently did not go out|is stuck in sending",
        "no error and no post on the account|the queue says published and nothing is "
        "online|posts planned for the weekend stay unsent|publishing by hand works at once",
    ),
    "instagram-token": _topic(
        "Instagram connection|connected Instagram account|Instagram access token|Facebook page "
        "link",
        "expires every week|has to be reconnected|asks for permissions again|is lost",
        "the token should live 60 days|reconnecting the account through Facebook helps for "
        "days|permission instagram_content_publish is missing|session of the connected account "
        "invalid",
    ),
    "caption-emoji": _topic(
        "emoji in captions|caption with emoji|hashtags in a caption|caption counter",
        "become question marks|are counted wrongly|get cut|turn into squares",
        "the caption limit counts an emoji as four characters|flags and skin tones break in the"
        " caption|hashtags after an emoji are dropped|emoji look right in the preview only",
    ),
    "search-relevance": _topic(
        "search results|full text search|the search box|searching my documents",
        "finds nothing relevant|ranks old pages first|ignores plural words|misses exact titles",
        "typing the exact title gives page three of the results|search should tolerate "
        "typos|results for two words show either word|the ranking of results got worse",
    ),
    "slow-dashboard": _topic(
        "dashboard|start page with charts|analytics dashboard|overview page",
        "takes 30 seconds to load|is painfully slow|hangs while loading charts|freezes the tab",
        "one slow query with many widgets on the dashboard|loading the overview takes longer "
        "every week|charts appear one by one|fast at night and slow at noon",
    ),
    "memory-leak": _topic(
        "background worker|worker process|memory of the worker|job runner",
        "grows until the kernel kills it|leaks memory|runs out of memory|is OOM killed",
        "RSS rises by 50 MB an hour|a heap dump shows cached buffers that leak|restarting the "
        "worker every night frees the memory|out of memory after two days",
    ),
    "database-deadlock": _topic(
        "database transaction|Postgres update|bulk update of rows|concurrent transactions",
        "ends in a deadlock|fails with deadlock detected|waits for a lock for ever|locks the table",
        "two transactions lock rows in another order|deadlock detected while waiting for "
        "ShareLock|retrying the transaction helps|pg_locks shows a queue behind one row",
    ),
    "migration-fails": _topic(
        "database migration|schema upgrade|alembic migration|upgrade of the schema",
        "fails halfway|complains that the column exists|leaves two heads|cannot be rolled back",
        "the downgrade of the migration drops an index that is not there|schema version table "
        "and columns differ after the upgrade|multiple heads in alembic|migrating a copy of the"
        " schema works",
    ),
    "docker-image": _topic(
        "Docker image|container image|docker compose setup|official container",
        "does not start on arm64|exits with code 137|runs as root|is 3 GB large",
        "no manifest for linux/arm64 in the registry|the entrypoint of the container lacks a "
        "shell|docker compose up ends at once|a slim base image would be enough",
    ),
    "kubernetes-probe": _topic(
        "Kubernetes readiness probe|liveness probe of the pod|pod health check|Helm chart probes",
        "kills the pod at start|never turns ready|restarts pods in a loop|fails during rollout",
        "initialDelaySeconds in the Helm chart is too short|the liveness probe waits for the "
        "cluster|CrashLoopBackOff after the rollout|readiness answers 503 while pods warm up",
    ),
    "tls-certificate": _topic(
        "TLS certificate|HTTPS certificate|Let's Encrypt renewal|certificate chain",
        "has expired|is not trusted|was not renewed|lacks the intermediate",
        "curl says unable to get local issuer certificate|browsers warn of an expired "
        "certificate|the renewal of Let's Encrypt failed on the challenge|openssl shows an "
        "incomplete chain",
    ),
    "rate-limit": _topic(
        "API rate limit|request quota of the API|429 answers|throttling of API calls",
        "is hit after ten calls|has no Retry-After|counts failed requests|is far too low",
        "HTTP 429 too many requests in a simple loop|the X-RateLimit headers of the API are "
        "wrong|a quota per key and not per address|throttled although we wait between calls",
    ),
    "webhook-retries": _topic(
        "webhook deliveries|outgoing webhooks|webhook retries|webhook endpoint calls",
        "are not retried|arrive out of order|come without a signature|are dropped after a 500",
        "our endpoint was down for a minute and the event was lost|the webhook signature does "
        "not match the body|a delivery log for webhooks would help|the same webhook event came "
        "twice",
    ),
    "api-pagination": _topic(
        "page token of the list API|API pagination|listing with cursors|next_page_token",
        "skips rows|returns the same page|repeats items|ends too early",
        "items created while paging appear on two pages|the cursor of the list is refused as "
        "invalid|page size above 100 is ignored by the API|paging with a cursor loses the last "
        "row",
    ),
    "csv-export": _topic(
        "CSV export|export to Excel|exported spreadsheet|download of the table as CSV",
        "has broken umlauts|mixes up the columns|contains only 1000 rows|uses the wrong separator",
        "Excel opens the exported CSV in one column|a semicolon as separator would help|the "
        "export lacks a UTF-8 byte order mark|quotes inside cells shift the columns",
    ),
    "pdf-report": _topic(
        "PDF report|monthly report as PDF|printed report|PDF rendering",
        "cuts off the right margin|has blank pages|overlaps the charts|loses the fonts",
        "page breaks fall into the middle of a chart|fonts are not embedded in the PDF|printing"
        " the report on A4 scales it wrongly|headers overlap the first line on each page",
    ),
    "translation": _topic(
        "German translation|French translation|translated menu|Spanish texts",
        "is incomplete|mixes two languages|has wrong plural forms|sounds like a machine",
        "half of the settings are still in English|the translated button is too long for its "
        "box|formal and informal address are mixed|plural of one item is wrong in translation",
    ),
    "offline-mode": _topic(
        "offline mode|working without network|offline edits|app on a plane",
        "loses my edits|does not sync back|shows an empty list|overwrites newer changes",
        "edits made without network vanish after reconnecting|conflicts between two offline "
        "devices|cached notes should open without a connection|sync after the flight dropped "
        "work",
    ),
    "battery-drain": _topic(
        "battery of my phone|battery usage|app in the background|power consumption",
        "drains within hours|is eaten by the app|gets hot|is empty by noon",
        "battery settings show 60 percent for background activity|location updates every second"
        " drain the battery|phone gets warm in the pocket|power saving mode changes nothing",
    ),
    "app-crash-start": _topic(
        "app|Android app|mobile app|iOS app",
        "crashes at start|closes right after the splash screen|does not open|crashes on launch",
        "a NullPointerException in onCreate on launch|crash right after the splash logo since "
        "the update|clearing the app data lets it start once|crash at launch on Android 14",
    ),
    "video-playback": _topic(
        "video playback|video player|streaming of clips|playing a video",
        "stutters|has no sound|runs out of sync with audio|buffers all the time",
        "audio is half a second behind the picture|1080p stutters and 720p plays well|the "
        "player shows a black frame with sound|buffering circle every ten seconds",
    ),
    "comments-spam": _topic(
        "spam comments|comment section|bot comments|comments with links",
        "flood every thread|slip through the filter|cannot be reported|come back after deletion",
        "bots post crypto links under each comment|moderators need a way to ban spam accounts "
        "at once|the spam filter hides honest comments|hundreds of spam replies overnight",
    ),
    "user-roles": _topic(
        "editor role|permissions of a team member|viewer role|access rights of roles",
        "allows too much|cannot open the settings|is not inherited|lets viewers delete",
        "a read-only role for clients is missing|team members with the editor role see "
        "billing|permissions are not taken over from the group|custom roles would solve this",
    ),
    "account-deletion": _topic(
        "account deletion|deleting my account|erasure of my data|GDPR request",
        "is impossible|was never confirmed|leaves my profile online|takes months",
        "GDPR grants erasure within a month|my profile page is still public after I deleted the"
        " account|no button to delete personal data|an export of my data before erasure",
    ),
    "map-location": _topic(
        "map view|location of pins|GPS position|map markers",
        "shows the wrong city|swaps latitude and longitude|puts pins into the sea|does not zoom",
        "latitude and longitude are exchanged in the marker|the map tiles stay grey|GPS of "
        "photos without position lands at zero|pins cluster wrongly when zooming the map",
    ),
    "font-rendering": _topic(
        "web font|font of headings|text rendering|custom typeface",
        "looks blurry on Windows|falls back to Times|loads after the text|is cut at the bottom",
        "the woff2 file of the typeface is blocked|letters jump when the font arrives|hinting "
        "on low resolution screens is bad|descenders of g and y are cut off",
    ),
    "drag-and-drop": _topic(
        "drag and drop|dragging cards|reordering by dragging|moving a card between columns",
        "jumps back|drops into the wrong column|does not work on touch|scrolls the page",
        "on a tablet dragging a card scrolls instead|the order is lost after a reload|the drop "
        "target is not highlighted|cards vanish while being dragged",
    ),
    "backup-restore": _topic(
        "restore of a backup|nightly backup|backup archive|restoring from backup",
        "fails with a checksum error|lacks the attachments|never finishes|is empty",
        "tar says unexpected end of archive|restoring the backup to another host breaks "
        "links|backups older than a week were removed|verify the archive before trusting the "
        "backup",
    ),
    "websocket-disconnect": _topic(
        "WebSocket connection|live updates|realtime socket|socket behind nginx",
        "drops every minute|is closed with 1006|never reconnects|fails the upgrade",
        "nginx proxy_read_timeout closes the idle socket|no ping frames keep the connection "
        "alive|live cursors freeze until a reload|the upgrade header is lost behind the proxy",
    ),
}
