"""The dashboard's files: how they are served, and that nothing in them leads nowhere.

What the scripts call is read from their text, which is written so that it can be: paths of the API
as the contracts write them, and addresses of views only through ``to`` and ``link``.
"""

import re
from pathlib import Path

import httpx
import pytest
import typer.main
from starlette.applications import Starlette

from cli.main import app
from gateway.dashboard import dashboard_routes
from gateway.docs import docs_routes
from gateway.static import PAGES
from libs.rpc.contracts import SERVICES

FOLDER = PAGES / "dashboard"
SCRIPTS = {file.name: file.read_text() for file in sorted(FOLDER.glob("*.js"))}
PAGE = (FOLDER / "index.html").read_text()
STYLE = (FOLDER / "style.css").read_text()
ROUTES = Path(__file__).parents[2] / "contract" / "gateway" / "routes.txt"
METHODS = {
    method.full_name: method
    for descriptors in SERVICES.values()
    for service in descriptors
    for method in service.methods
}
# The verbs of api.js: the HTTP method, and whether the body is the whole message.
VERBS = {
    "get": ("GET", None),
    "watch": ("GET", None),
    "ask": ("POST", True),
    "call": ("POST", True),
    "upload": ("POST", True),
    "create": ("POST", False),
    "update": ("PATCH", False),
    "remove": ("DELETE", None),
}
CALL = re.compile(r"\b(?:api\.(\w+)|(all))\(\s*\"([^\"]*)\"")


@pytest.fixture
async def client() -> httpx.AsyncClient:
    transport = httpx.ASGITransport(Starlette(routes=[*docs_routes(), *dashboard_routes()]))
    return httpx.AsyncClient(transport=transport, base_url="http://test")


async def _page(client: httpx.AsyncClient) -> str:
    return (await client.get("/")).text


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/health",
        "/personas/nora",
        "/personas/nora/pillars/food?filter=tag",
        "/personas/",
        "/projects/lumen/clusters",
        "/projects/lumen/clusterVersions",
    ],
)
async def test_every_address_of_a_view_serves_the_page(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.text == await _page(client)
    again = await client.get(path, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_the_policy_allows_only_what_comes_from_here(client: httpx.AsyncClient) -> None:
    policy = (await client.get("/")).headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert rules["img-src"] == "'self' blob:"
    assert rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert "unsafe" not in policy


async def test_what_the_page_loads_is_kept_for_good_under_an_address_of_its_content(
    client: httpx.AsyncClient,
) -> None:
    loaded = re.findall(r'(?:href|src)="(/assets/[^"]+)"', await _page(client))
    assert {Path(path).name for path in loaded} == {*SCRIPTS, "style.css"}
    kinds = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
    for path in loaded:
        answer = await client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == kinds[Path(path).suffix]
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.text == (FOLDER / Path(path).name).read_text()
    assert (await client.get("/assets/older/app.js")).status_code == 404


async def test_the_page_has_no_scripts_or_styles_of_its_own(client: httpx.AsyncClient) -> None:
    page = await _page(client)
    assert not re.search(r"<script>|<style|\sstyle=|\son[a-z]+=|@assets", page)
    assert 'lang="en"' in page
    for target in re.findall(r'(?:href|src)="(/[^"#]*)"', page):
        assert (await client.get(target)).status_code == 200


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_load_only_each_other_and_make_no_markup_of_text(name: str) -> None:
    text = SCRIPTS[name]
    imported = re.findall(r'^(?:import .*|\}) from "([^"]+)"', text, re.MULTILINE)
    assert {path.removeprefix("./") for path in imported} <= set(SCRIPTS)
    assert not re.search(r"https?://|innerHTML|outerHTML|insertAdjacentHTML|document\.write", text)
    assert not re.search(r"\beval\(|new Function", text)
    assert not re.search(r"localStorage", text), "a key must not outlive its tab"


def test_every_imported_name_is_exported() -> None:
    for name, text in SCRIPTS.items():
        for names, source in re.findall(r'import \{([^}]*)\} from "\./([^"]+)"', text):
            for each in filter(None, (part.strip() for part in names.split(","))):
                exported = rf"export (?:async )?(?:function|const|class) {each}\b"
                assert re.search(exported, SCRIPTS[source]), f"{name}: {source} has no {each}"


def test_every_exported_name_is_imported() -> None:
    for name, text in SCRIPTS.items():
        for each in re.findall(r"export (?:async )?(?:function|const|class) (\w+)", text):
            others = (other for script, other in SCRIPTS.items() if script != name)
            assert any(re.search(rf"\b{each}\b", other) for other in others), f"{name}: {each}"


def test_a_new_run_needs_only_a_pipeline_and_a_pillar() -> None:
    start = SCRIPTS["runs.js"].index("export function runStart")
    body = SCRIPTS["runs.js"][start : SCRIPTS["runs.js"].index("\n}\n", start)]
    assert re.findall(r'\bfield\("(\w+)"', body) == ["pipeline", "pillar"]


def test_counts_come_with_the_list_of_personas() -> None:
    lists = re.findall(r'api\.get\("/v1/personas", \{([^}]*)\}', SCRIPTS["personas.js"])
    assert len(lists) == 1 and "includeStats: true" in lists[0]
    assert "libraryStats" not in SCRIPTS["personas.js"]


def _views() -> dict[str, str]:
    table = re.search(r"PATTERNS = \{(.*?)\n\};", SCRIPTS["routes.js"], re.DOTALL)
    assert table
    return dict(re.findall(r'(\w+): "([^"]+)"', table[1]))


def test_every_link_leads_to_a_view_and_every_view_can_be_reached() -> None:
    views = _views()
    table = re.search(r"VIEWS = \{(.*?)\n\};", SCRIPTS["app.js"], re.DOTALL)
    assert table
    assert set(re.findall(r"^  (\w+):", table[1], re.MULTILINE)) == set(views)
    linked = {
        view for text in SCRIPTS.values() for view in re.findall(r'\b(?:to|link)\("(\w+)"', text)
    }
    sections = re.search(r"SECTIONS = \[(.*?)\n\];", SCRIPTS["app.js"], re.DOTALL)
    assert sections
    linked |= set(re.findall(r'\["(\w+)",', sections[1]))
    linked |= {view for view, path in views.items() if f'href="{path}"' in PAGE}
    assert linked == set(views)


@pytest.mark.parametrize("path", _views().values())
async def test_every_view_has_an_address_that_survives_a_reload(
    client: httpx.AsyncClient, path: str
) -> None:
    assert (await client.get(re.sub(r":\w+", "x", path))).status_code == 200


def _bindings() -> dict[tuple[str, str], str]:
    """What the API has: by HTTP method and path, the rest of the line."""
    lines = [re.split(r"\s{2,}", line, maxsplit=2) for line in ROUTES.read_text().splitlines()]
    return {(method, path): rest for path, method, rest in lines}


def _calls() -> list[tuple[str, str]]:
    return sorted(
        {
            (verb or "get", path)
            for text in SCRIPTS.values()
            for verb, every, path in CALL.findall(text)
            if verb in VERBS or every
        }
    )


def test_the_calls_are_found() -> None:
    """Each call in the scripts names its path, but for those of api.js and of pictures."""
    known = {"picture", *VERBS}
    for name, text in SCRIPTS.items():
        if name != "api.js":
            used = re.findall(r"\bapi\.(\w+)\((.)", text)
            assert {verb for verb, _ in used} <= known
            assert {first for verb, first in used if verb != "picture"} <= {'"'}, name
    assert len(_calls()) > 40


@pytest.mark.parametrize(("verb", "path"), _calls())
def test_every_call_is_a_method_of_the_api(verb: str, path: str) -> None:
    method, whole = VERBS[verb]
    binding = _bindings().get((method, path))
    assert binding, f"the API has no {method} {path}"
    body = re.search(r"body=(\S+)", binding)
    assert (body and body[1] == "*") == whole
    assert ("  stream" in binding) == (verb == "watch")
    if verb in {"call", "create", "update", "remove"}:
        assert "request_id" in METHODS[f"colonnade.{binding.split()[0]}"].input_type.fields_by_name


def _calls_for_both() -> list[tuple[str, str]]:
    """The calls of the views that projects have too, as far as they are not about photos."""
    shared = ("clusters.js", "cluster.js", "members.js", "edits.js", "grouping.js", "history.js")
    found = {
        (verb or "get", path)
        for name in shared
        for verb, _, path in CALL.findall(SCRIPTS[name])
        if "personas/*" in path and not re.search(r"pillar", path, re.IGNORECASE)
    }
    return sorted(found)


def test_the_views_of_projects_are_those_of_clusters() -> None:
    table = re.search(r"SHARED = new Set\(\[(.*?)\]\)", SCRIPTS["routes.js"])
    assert table
    shared = re.findall(r'"(\w+)"', table[1])
    assert shared == ["clusters", "cluster", "history"]
    assert all(_views()[view].startswith("/personas/:persona/clust") for view in shared)
    assert len(_calls_for_both()) > 15


@pytest.mark.parametrize(("verb", "path"), _calls_for_both())
def test_what_is_called_about_clusters_is_there_for_projects(verb: str, path: str) -> None:
    method, _ = VERBS[verb]
    assert (method, path.replace("personas/*", "projects/*")) in _bindings()


def test_a_run_is_started_once() -> None:
    """While one is active, both buttons that start one are off, and on again however it ended."""
    follow = SCRIPTS["grouping.js"][SCRIPTS["grouping.js"].index("const follow = ") :]
    off, on = follow.index("each.disabled = true"), follow.index("each.disabled = false")
    assert off < follow.index("api.watch(") < follow.index("} finally {") < on
    assert 'const starts = [button("Group now"' in follow


def _commands() -> set[str]:
    """What follows ``colonnade`` in the scripts, up to the first value or option."""
    text = "\n".join((*SCRIPTS.values(), PAGE))
    end = r"(?= --| ?[`\"'<]| \$| [A-Z~])"
    return set(re.findall(rf"colonnade ([a-z][a-z-]*(?: [a-z][a-z-]*)*){end}", text))


@pytest.mark.parametrize("words", sorted(_commands()))
def test_every_command_that_the_pages_name_exists(words: str) -> None:
    command = typer.main.get_command(app)
    for word in words.split():
        command = getattr(command, "commands", {}).get(word)
        assert command, f"there is no colonnade {words}"


def test_colours_come_from_the_theme() -> None:
    """Both themes are defined in one place; what is painted over pictures is the same in both."""
    rules = STYLE[STYLE.index("* { box-sizing") :]
    plain = re.findall(r"#[0-9a-f]{3,8}\b", re.sub(r"light-dark\([^()]*\)", "", rules))
    assert set(plain) <= {"#10201bb8", "#fff", "#0a100e80"}
