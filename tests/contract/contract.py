"""The description of the API, held by the tools of those who use it.

contract.py document   lints both documents, makes TypeScript types and a Python client of them and compiles those
contract.py server     holds a running server against its description, once for each of several identities
"""

import compileall
import importlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).parent
TOOLS = pathlib.Path(sys.executable).parent
PROGRAM = os.environ["ORQUIVA_BINARY"]

# Who asks, and for how many seconds: a client that may do everything, one that may only look, and nobody.
EVERYTHING, LOOKS, NOBODY = ("a client that may do everything", 22), ("a client that may only look", 10), ("nobody", 5)
NO_LIMIT = ["--tokens-per-client", "0", "--tokens-per-address", "0"]
TO_LOOK = ["employees:read", "departments:read", "events:read"]


def run(*command, **options):
    subprocess.run([str(part) for part in command], check=True, **options)


class Orquiva:
    """A server on a free port with data of its own; on PostgreSQL if ORQUIVA_DATABASE_URL says so."""

    def __init__(self, folder):
        self.env = {**os.environ, "ORQUIVA_DATA_DIR": str(folder), "ORQUIVA_LOG": "warn"}
        self.company = self.command("company", "create", "--name", "Acme", "--plan", "enterprise")["id"]

    def command(self, *args):
        told = subprocess.run([PROGRAM, *args, "--json"], env=self.env, check=True, stdout=subprocess.PIPE)
        return json.loads(told.stdout)

    def client(self, name, scopes):
        wanted = [part for scope in scopes for part in ("--scope", scope)]
        return self.command("client", "create", "--company", self.company, "--name", name, *wanted)

    def __enter__(self):
        args = [PROGRAM, "serve", "--listen", "127.0.0.1:0", *NO_LIMIT]
        self.server = subprocess.Popen(args, env=self.env, stdout=subprocess.PIPE, text=True)
        for line in self.server.stdout:
            if line.startswith("Orquiva listens on "):
                self.url = line.split()[-1]
                return self
        raise SystemExit("orquiva serve ended before it listened")

    def __exit__(self, *_):
        self.server.terminate()
        self.server.wait(20)

    def token(self, client):
        form = {key: client[key] for key in ("client_id", "client_secret")}
        form["grant_type"] = "client_credentials"
        with urllib.request.urlopen(self.url + "/oauth/token", urllib.parse.urlencode(form).encode()) as answer:
            return json.load(answer)["access_token"]


def server(folder):
    orquiva = Orquiva(folder / "data")
    one, another = orquiva.client("everything", []), orquiva.client("looks", TO_LOOK)
    with orquiva:
        token = orquiva.token(one)
        hires(orquiva, token)
        hold(orquiva, *EVERYTHING, "--exclude-tag", "OAuth", "--header", f"Authorization: Bearer {token}", folder=folder)
        token = orquiva.token(another)
        hold(orquiva, *LOOKS, "--exclude-tag", "OAuth", "--header", f"Authorization: Bearer {token}", folder=folder)
        hold(orquiva, *NOBODY, "--include-tag", "OAuth", folder=folder)


def hold(orquiva, who, seconds, *options, folder):
    """Holds the server against its description, as one of the identities."""
    print(f"\nas {who}", flush=True)
    run(
        TOOLS / "schemathesis", "--config-file", HERE / "schemathesis.toml", "run", f"{orquiva.url}/openapi.json",
        "--max-time", seconds, *options, cwd=folder,
    )  # fmt: skip


def hires(orquiva, token):
    """Someone to be found."""
    for number in range(3):
        body = {"fullName": f"Ana {number}", "email": f"ana{number}@acme.test", "department": "Ventas"}
        request = urllib.request.Request(orquiva.url + "/v1/employees", json.dumps(body).encode())
        request.add_header("Authorization", f"Bearer {token}")
        request.add_header("Content-Type", "application/json")
        urllib.request.urlopen(request).close()


def document(folder):
    with Orquiva(folder / "data") as orquiva:
        for name in ("openapi.json", "openapi-3.0.json"):
            with urllib.request.urlopen(f"{orquiva.url}/{name}") as answer:
                (folder / name).write_bytes(answer.read())
    for name in ("openapi.json", "openapi-3.0.json"):
        run("npm", "run", "--silent", "lint", "--", folder / name, cwd=HERE)
    typescript(folder)
    python(folder)


def typescript(folder):
    """The types of either document compile, and a program that uses those of the newer one does too."""
    for name in ("openapi.json", "openapi-3.0.json"):
        types = folder / (name.replace("openapi", "orquiva").replace(".json", "").replace(".", "_") + ".d.ts")
        run("npm", "run", "--silent", "types", "--", folder / name, "--output", types, cwd=HERE)
    (folder / "sample.ts").write_text((HERE / "sample.ts").read_text())
    (folder / "package.json").write_text('{ "type": "module" }')
    files = sorted(folder.glob("*.ts"))
    run("npm", "run", "--silent", "compile", "--", *files, cwd=HERE)


def python(folder):
    """The client of either document is made without a warning, compiles, and reads what the API answers."""
    for name in ("openapi.json", "openapi-3.0.json"):
        package = "orquiva_" + name.split(".json")[0].replace("-", "_").replace(".", "_")
        run(
            TOOLS / "openapi-python-client", "generate", "--path", folder / name, "--meta", "none",
            "--output-path", folder / package, "--config", HERE / "client.yaml", "--fail-on-warning", cwd=folder,
        )  # fmt: skip
        if not compileall.compile_dir(folder / package, quiet=1):
            raise SystemExit(f"the client of {name} does not compile")
    sys.path.insert(0, str(folder))
    models = importlib.import_module("orquiva_openapi.models")
    importlib.import_module("orquiva_openapi.api.employees.create_employee")
    described = json.loads((folder / "openapi.json").read_text())
    example = described["components"]["schemas"]["Employee"]["examples"][0]
    if models.Employee.from_dict(example).full_name != example["fullName"]:
        raise SystemExit("the client reads an employee wrongly")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="orquiva-contract-") as made:
        {"document": document, "server": server}[sys.argv[1]](pathlib.Path(made))
