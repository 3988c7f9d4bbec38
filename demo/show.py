"""How the demo tells what it does."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from colonnade.clustering.v1.cluster_pb2 import Cluster
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.output import out, table


class Show:
    """Numbered steps with what was done, what was there already, and details."""

    def __init__(self) -> None:
        self._number = 0

    def heading(self, text: str) -> None:
        """Begins the next step."""
        self._number += 1
        out.print(f"\n[bold cyan]{self._number}. {escape(text)}[/bold cyan]")

    def done(self, text: str) -> None:
        """Something was made."""
        out.print(f"  [green]✓[/green] {escape(text)}")

    def there(self, text: str) -> None:
        """Something was there already."""
        out.print(f"  [dim]·[/dim] {escape(text)} [dim](already there)[/dim]")

    def step(self, text: str) -> None:
        """Something is going on."""
        out.print(f"  [dim]… {escape(text)}[/dim]")

    def detail(self, text: str) -> None:
        """More about the line before."""
        out.print(Padding(escape(text), (0, 0, 0, 4), expand=False))

    def clusters(self, clusters: Sequence[Cluster], names: Mapping[str, str]) -> None:
        """The clusters as a table."""
        rows = [
            (c.title, c.member_count, f"{c.cohesion:.2f}", names.get(c.hero.item, c.hero.item))
            for c in clusters[:12]
        ]
        table("Clusters", ("title", "#photos", "#cohesion", "hero"), rows)

    @contextmanager
    def progress(self, text: str) -> Iterator[Callable[[int, int], None]]:
        """A bar; call what this yields with done and total."""
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=out) as bar:
            task = bar.add_task(text)
            yield lambda done, total: bar.update(task, completed=done, total=total)

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """A spinner."""
        with out.status(f"  {text}"):
            yield
