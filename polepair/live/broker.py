"""A mosquitto configuration that keeps what it acknowledged, which its defaults do not: persistence, queues, ACL, TLS.

What mosquitto's defaults do was measured: with 1000 queued messages a slow reader loses acknowledged ones silently, and
a killed broker forgets all it acknowledged since its last save, half an hour ago.
"""

import base64
import hashlib
import os
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from ..errors import FileError, taken
from .wire import VERSION, checked_name

READER = "twin"
ITERATIONS = 10_000
DAYS = 825

CONF = """\
# mosquitto.conf made by polepair broker-config; start with: mosquitto -c {folder}/mosquitto.conf
listener {port} {bind}
set_tcp_nodelay true
{tls}
# Who may do what: no one without a name.
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/acl

# What is acknowledged is kept: on disk after every change, and in queues that hold hours of a reader's absence.
persistence true
persistence_location {folder}/data/
autosave_on_changes true
autosave_interval {autosave}
persistent_client_expiration 14d
max_queued_messages 1000000
max_queued_bytes 1073741824
max_inflight_messages 1000

# Limits before anything is parsed.
max_packet_size 1048576
max_keepalive 600
max_connections 1000
log_type error
log_type warning
"""
TLS = """\
cafile {folder}/tls/ca.pem
certfile {folder}/tls/broker.pem
keyfile {folder}/tls/broker.key
tls_version tlsv1.2
require_certificate {mutual}
"""
DEVICE_WRITES = ("birth", "state", "t/#", "ev", "ack", "cfg/ack")
DEVICE_READS = ("cmd", "cfg", "time")


def password_line(user: str, password: str) -> str:
    """A line of mosquitto's password file: PBKDF2 with SHA-512."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
    return f"{user}:$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def acl(assets, prefix: str = "", commands: bool = False) -> str:
    """Access list: devices write their own topics only; the twin reads all, writes estimates, and commands if asked."""
    lines = []
    for asset in assets:
        base = f"{prefix}polepair/{VERSION}/{asset}"
        lines += [f"user {asset}", *(f"topic write {base}/{t}" for t in DEVICE_WRITES)]
        lines += [*(f"topic read {base}/{t}" for t in DEVICE_READS), ""]
    lines.append(f"user {READER}")
    for asset in assets:
        base = f"{prefix}polepair/{VERSION}/{asset}"
        lines += [f"topic read {base}/#", f"topic write {base}/est", f"topic write {base}/time"]
        lines.append(f"{'' if commands else '# '}topic write {base}/cmd")
    return "\n".join(lines) + "\n"


def _write(path: Path, text: str, mode: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(fd, "w", encoding="utf-8") as f:
        f.write(text)


def _openssl(*arguments: str, cwd: Path) -> None:
    done = subprocess.run(["openssl", *arguments], cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        raise FileError(f"{cwd}: openssl: {done.stderr.strip().splitlines()[-1]}")


def certificates(folder: Path, hosts, clients=()) -> None:
    """A certificate authority, the broker's certificate for these host names or addresses, and one per client."""
    if not shutil.which("openssl"):
        raise FileError("openssl is missing, expected the Debian package openssl, or --no-tls")
    folder.mkdir(parents=True, exist_ok=True)
    curve, days = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"), str(DAYS)
    _openssl(
        "req", "-x509", *curve, "-days", days, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=polepair CA",
        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign", cwd=folder,
    )  # fmt: skip
    names = ",".join(f"IP:{h}" if h.replace(".", "").isdigit() or ":" in h else f"DNS:{h}" for h in hosts)
    for name, extra in [("broker", f"subjectAltName={names}"), *((c, "extendedKeyUsage=clientAuth") for c in clients)]:
        _openssl("req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}", cwd=folder)
        _write(folder / "ext", extra + "\n", 0o600)
        _openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", days,
            "-out", f"{name}.pem", "-extfile", "ext", cwd=folder,
        )  # fmt: skip
        (folder / f"{name}.csr").unlink()
    (folder / "ext").unlink()
    for key in folder.glob("*.key"):
        key.chmod(0o600)


def _hand_over(folder: Path) -> None:
    """Started by root, mosquitto becomes its own user: what it reads and writes has to be that user's."""
    if os.geteuid() != 0:
        return
    try:
        for path in [folder, *folder.rglob("*")]:
            if "secret" not in path.relative_to(folder).parts:
                shutil.chown(path, "mosquitto", "mosquitto")
    except LookupError:  # mosquitto is not installed here
        return


class Config(NamedTuple):
    """Options of a configuration."""

    hosts: tuple[str, ...] = ("localhost",)
    bind: str = "127.0.0.1"
    port: int | None = None
    prefix: str = ""
    tls: bool = True
    mutual: bool = False
    commands: bool = False
    autosave: int = 1


def write_config(folder, assets, **options) -> dict[str, Path]:
    """Writes mosquitto.conf, acl, passwords and certificates into `folder`, and a file with the password of each user.

    options: those of Config. Returns the files by what they are. FileError when there is a configuration already.
    """
    given = taken(Config, options, "write_config")
    folder = Path(folder).resolve()
    assets = [checked_name(a, "asset") for a in assets]
    if (folder / "mosquitto.conf").exists():
        raise FileError(f"{folder}: holds a broker configuration, expected an empty or new folder")
    if not assets or READER in assets:
        raise ValueError(f"assets: expected at least one, none of them called {READER}")
    (folder / "secret").mkdir(parents=True, exist_ok=True)
    (folder / "secret").chmod(0o700)
    (folder / "data").mkdir(exist_ok=True)
    if given.tls:
        certificates(folder / "tls", given.hosts, [*assets, READER] if given.mutual else [])
    lines = []
    for user in (*assets, READER):
        password = secrets.token_urlsafe(24)
        _write(folder / "secret" / user, password + "\n", 0o600)
        lines.append(password_line(user, password))
    _write(folder / "passwords", "\n".join(lines) + "\n", 0o600)
    prefix = f"{given.prefix.strip('/')}/" if given.prefix else ""
    _write(folder / "acl", acl(assets, prefix, given.commands), 0o600)
    text = TLS.format(folder=folder, mutual=str(given.mutual).lower()) if given.tls else ""
    fill = {"folder": folder, "port": given.port or (8883 if given.tls else 1883), "bind": given.bind}
    fill |= {"tls": text, "autosave": given.autosave}
    _write(folder / "mosquitto.conf", CONF.format(**fill), 0o644)
    _hand_over(folder)
    files = {"configuration": folder / "mosquitto.conf", "passwords": folder / "secret"}
    return {**files, "ca": folder / "tls" / "ca.pem"} if given.tls else files
