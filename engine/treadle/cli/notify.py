"""`treadle notify`: what happens by itself when a run ends, or falls silent."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.cli.options import AsJson
from treadle.errors import UsageError

if TYPE_CHECKING:
    from treadle.ledger import Ledger
    from treadle.runs.automations import Moment, Notification

app = typer.Typer(help="Mails, webhooks and follow-up runs when a run ends.", no_args_is_help=True)

Moments = Annotated[
    list[str] | None,
    typer.Option("--on", metavar="failed|done|cancelled", help="How the run ends; failed if not given."),
]
OfWorkflow = Annotated[
    str | None, typer.Option("--workflow", metavar="NAME", help="Only runs of this workflow.")
]
Label = Annotated[str, typer.Option(help="Tells it from others for the same runs.")]
STDIN = "-"


@app.command()
def webhook(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="Where a JSON document is posted; - reads it from input.")
    ],
    on: Moments = None,
    workflow: OfWorkflow = None,
    label: Label = "",
    as_json: AsJson = False,
) -> None:
    """Call a webhook when a run ends. Prefect keeps the URL encrypted."""
    from urllib.parse import urlsplit

    from treadle.cli.served import served
    from treadle.cli.session import open_session

    target = sys.stdin.readline().strip() if url == STDIN else url
    parts = urlsplit(target)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError("The webhook's URL is none of http or https.", remedy="Write https://host/path.")
    with open_session() as session, served(session.settings):
        from treadle.runs.automations import call_webhook

        _check_workflow(workflow, session.ledger)
        made = call_webhook(target, _moments(on), workflow, label=label)
    _tell(made, as_json=as_json)


@app.command()
def mail(
    to: Annotated[list[str], typer.Argument(metavar="ADDRESS...", help="Whom to mail.")],
    *,
    host: Annotated[str, typer.Option(help="Name of the mail server.")],
    sender: Annotated[str, typer.Option("--from", metavar="ADDRESS", help="Whom the mails come from.")],
    port: Annotated[int | None, typer.Option(help="Its port: 587, or 465 for tls, if not given.")] = None,
    security: Annotated[str, typer.Option(metavar="starttls|tls|none", help="Encryption.")] = "starttls",
    user: Annotated[str, typer.Option(help="User of the mail server, if it wants one.")] = "",
    password_file: Annotated[
        Path | None, typer.Option(help="File whose first line is the password; - reads it from input.")
    ] = None,
    on: Moments = None,
    workflow: OfWorkflow = None,
    label: Label = "",
    as_json: AsJson = False,
) -> None:
    """Send a mail when a run ends. Prefect keeps the password encrypted."""
    from pydantic import SecretStr, ValidationError

    from treadle.cli.served import served
    from treadle.cli.session import open_session
    from treadle.model.problems import listed, problems_of

    password = _password(password_file)
    with open_session() as session, served(session.settings):
        from treadle.runs.automations import send_mail
        from treadle.runs.mail_block import USUAL_PORTS, Mail

        _check_workflow(workflow, session.ledger)
        try:
            block = Mail.model_validate(
                {
                    "host": host,
                    "port": port or USUAL_PORTS.get(security, 587),
                    "security": security,
                    "user": user,
                    "password": SecretStr(password),
                    "sender": sender,
                    "recipients": to,
                }
            )
        except ValidationError as error:
            raise UsageError(listed("The mail server is not described well", problems_of(error))) from error
        made = send_mail(block, _moments(on), workflow, label=label)
    _tell(made, as_json=as_json)


@app.command()
def start(
    deployment: Annotated[str, typer.Argument(help="Deployment to start.")],
    after: Annotated[str, typer.Option(metavar="WORKFLOW", help="When a run of this workflow is done.")],
    same_dataset: Annotated[
        bool, typer.Option("--same-dataset", help="On the dataset of the run before, not on its own.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start another deployment when a run is done."""
    from treadle.cli.served import served
    from treadle.cli.session import open_session

    with open_session() as session, served(session.settings):
        from treadle.runs.automations import start_after

        _check_workflow(after, session.ledger)
        made = start_after(after, deployment, same_dataset=same_dataset)
    _tell(made, as_json=as_json)


@app.command()
def zombies(
    minutes: Annotated[
        int, typer.Option(min=4, help="Silence after which a flow run is dead; heartbeats come every 3.")
    ] = 10,
    as_json: AsJson = False,
) -> None:
    """Call flow runs crashed that fall silent, where no `treadle up` looks after them."""
    from datetime import timedelta

    from treadle.cli.served import served
    from treadle.cli.session import open_session

    with open_session() as session, served(session.settings):
        from treadle.runs.automations import detect_zombies

        made = detect_zombies(timedelta(minutes=minutes))
    _tell(made, as_json=as_json)


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List what was asked for."""
    from treadle.cli.output import print_json, print_table
    from treadle.cli.served import served
    from treadle.cli.session import open_session

    with open_session() as session, served(session.settings):
        from treadle.runs.automations import list_notifications

        found = list_notifications()
    if as_json:
        print_json({"notifications": found})
        return
    rows = [(one.name, one.description, "" if one.enabled else "off") for one in found]
    print_table(["name", "what it does", ""], rows, empty="Nothing: see `treadle notify --help`.")


@app.command()
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, as `list` has it.")],
    as_json: AsJson = False,
) -> None:
    """Remove one, with the secrets that it used."""
    from treadle.cli.output import print_json, print_line
    from treadle.cli.served import served
    from treadle.cli.session import open_session

    with open_session() as session, served(session.settings):
        from treadle.runs.automations import remove_notification

        gone = remove_notification(name)
    if as_json:
        print_json({"removed": gone.name})
    else:
        print_line(f"Removed {gone.name!r}.")


def _moments(words: list[str] | None) -> list[Moment]:
    from treadle.runs.automations import Moment

    try:
        return [Moment(word) for word in words or [Moment.FAILED]]
    except ValueError as error:
        raise UsageError(f"--on {error}.", remedy=f"Choose of {', '.join(Moment)}.") from error


def _check_workflow(workflow: str | None, ledger: Ledger) -> None:
    from treadle.ledger import workflows

    if workflow is not None:
        with ledger.reading() as tx:
            workflows.load_workflow(tx, workflow)


def _password(file: Path | None) -> str:
    if file is None:
        return ""
    if str(file) == STDIN:
        return sys.stdin.readline().rstrip("\n")
    try:
        return file.read_text(encoding="utf-8").partition("\n")[0]
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.", remedy="Check the path.") from error


def _tell(made: Notification, *, as_json: bool) -> None:
    from treadle.cli.output import print_json, print_line

    if as_json:
        print_json(made)
    else:
        print_line(f"{made.name!r}: {made.description}")
