"""The binary under test: its simulated account, its commands, and where they may write."""

import contextlib
import json
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

BINARY = os.environ.get("PHONETRAIL_BIN", "phonetrail")

# No setting of whoever runs the tests is one of theirs.
OF_SETTINGS = ("PHONETRAIL_", "AWS_", "AZURE_", "AZURITE_", "GOOGLE_")
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(OF_SETTINGS)}

# Longer than any day of a test is past: no day is ever final, so every sync reads all of its range again.
NEVER_SETTLED = ["--settle-hours", "1000000"]


@dataclass(frozen=True)
class Account:
    """A simulated account that is being served, and the folder that commands on it run in.

    The folder is empty to begin with, and only the destination is to appear in it.
    """

    folder: Path
    environment: dict
    truth: list
    """The records as served, as JSON texts."""

    @property
    def destination(self):
        return self.folder / "destination"

    @property
    def table(self):
        return self.destination / "operation_logs"

    def sync(self, *arguments):
        """Runs `phonetrail sync`; gives its report."""
        limits = ["--plan", "1000/s,1000000/day", *NEVER_SETTLED]
        command = ["sync", "--destination", str(self.destination), *limits, "--output", "json", *arguments]
        return json.loads(output(*command, folder=self.folder, environment=self.environment))

    def compact(self, *months):
        """Runs `phonetrail compact` and deletes what it replaced; gives its report."""
        named = [argument for month in months for argument in ("--month", month)]
        command = ["compact", "--destination", str(self.destination), "--grace", "0", "--output", "json", *named]
        return json.loads(output(*command, folder=self.folder))


@dataclass(frozen=True)
class Synced:
    """An account with its table, and what each step that made the table said of itself, in order."""

    account: Account
    reports: list


@contextlib.contextmanager
def account(folder, *simulation):
    """Serves a simulated account (options of `phonetrail simulate`) until the block ends."""
    truth = output("simulate", "--ground-truth", *simulation).split("\n")[:-1]
    command = [BINARY, "simulate", "--output", "json", "--listen", "127.0.0.1:0", "--limits", "off", *simulation]
    workplace = folder / "workplace"
    workplace.mkdir()
    with open(folder / "simulate.log", "w") as log:
        server = subprocess.Popen(
            command, cwd=workplace, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=log, encoding="utf-8"
        )
    try:
        said = first_json_object(server.stdout)
        assert said is not None, (folder / "simulate.log").read_text()
        names = ["account_id", "client_id", "client_secret", "base_url", "oauth_url"]
        environment = {f"PHONETRAIL_{name.upper()}": said[name] for name in names}
        yield Account(workplace, environment, truth)
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()
            raise


def report(command, *arguments, folder=None, environment=None):
    """What a command prints as JSON."""
    text = output(command, "--output", "json", *arguments, folder=folder, environment=environment)
    return json.loads(text)


def query(destination, sql):
    """Runs `phonetrail query`; gives a dict per row."""
    return json.loads(output("query", "--destination", str(destination), "--output", "json", sql))


def output(*arguments, folder=None, environment=None):
    """What a command prints; fails, showing its standard error, where the command does."""
    done = subprocess.run(
        [BINARY, *arguments],
        cwd=folder,
        env=ENVIRONMENT | (environment or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    assert done.returncode == 0, f"{arguments[0]} ended with {done.returncode}: {done.stderr.decode()[-4000:]}"
    return done.stdout.decode()


def first_json_object(stream):
    text = ""
    for line in stream:
        text += line
        with contextlib.suppress(json.JSONDecodeError):
            return json.loads(text)
    return None
