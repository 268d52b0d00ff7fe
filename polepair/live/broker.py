"""A mosquitto configuration that keeps what it acknowledged, which its defaults do not: persistence, queues, ACL, TLS.

What mosquitto's defaults do was measured: with 1000 queued messages a slow reader loses acknowledged ones silently, and
a killed broker forgets all it acknowledged since its last save, half an hour ago.
"""

import base64
import contextlib
import grp
import hashlib
import os
import pwd
import secrets
import shutil
import stat
import subprocess
from pathlib import Path
from typing import NamedTuple

from ..errors import FileError, plain, taken
from ..files import refusal
from .wire import VERSION, checked_host, checked_name, is_ip

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
# Sending is no change that is saved: with a reader that died, a kill -9 can cost so many messages.
max_inflight_messages 100

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


class Folder:
    """A folder that only its owner can have prepared, written into by descriptor: no name that somebody else puts in
    the way is followed or overwritten."""

    def __init__(self, path: Path, fd: int):
        self.path, self.fd = path, fd

    @classmethod
    def fresh(cls, path) -> "Folder":
        """A new folder, or an empty one of the caller's; FileError for another."""
        path = Path(os.path.abspath(path))
        with _told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _check_way(path.parent)
            with contextlib.suppress(FileExistsError):
                os.mkdir(path, 0o700)
            folder = cls(path, os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC))
        about = os.fstat(folder.fd)
        wrong = ""
        if about.st_uid != os.geteuid():
            wrong = "belongs to somebody else"
        elif about.st_mode & 0o002:
            wrong = "can be written by everybody"
        elif names := os.listdir(folder.fd):
            wrong = "holds a broker configuration" if "mosquitto.conf" in names else "is not empty"
        if wrong:
            folder.close()
            raise FileError(f"{path}: {wrong}, expected an empty or new folder of your own")
        return folder

    def sub(self, name: str, mode: int) -> "Folder":
        """A new folder in it."""
        with _told(self.path / name):
            os.mkdir(name, 0o700, dir_fd=self.fd)
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            made = Folder(self.path / name, os.open(name, flags, dir_fd=self.fd))
            os.fchmod(made.fd, mode)
        return made

    def write(self, name: str, text: str, mode: int, owner: tuple[int, int] | None = None) -> None:
        """A new file with these rights, whatever the umask; FileError when the name is there, as anything."""
        with _told(self.path / name):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(name, flags, 0o600, dir_fd=self.fd), "w", encoding="utf-8") as f:
                f.write(text)
                f.flush()
                os.fchmod(f.fileno(), mode)
                if owner:
                    os.fchown(f.fileno(), *owner)

    def read(self, name: str) -> str:
        """The text of a file in it."""
        with os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.fd)) as f:
            return f.read()

    def clear(self) -> None:
        """Takes away what is in it."""
        for name in os.listdir(self.fd):
            if stat.S_ISDIR(os.stat(name, dir_fd=self.fd, follow_symlinks=False).st_mode):
                shutil.rmtree(name, dir_fd=self.fd)
            else:
                os.unlink(name, dir_fd=self.fd)

    def close(self) -> None:
        """Gives the descriptor back."""
        os.close(self.fd)


@contextlib.contextmanager
def _told(path):
    """An OSError as a line that names the file."""
    try:
        yield
    except OSError as e:
        kind = type(refusal(path, e, ""))
        raise kind(f"{path}: {e.strerror}, expected an empty or new folder of your own") from None


def _check_way(path: Path) -> None:
    """FileError when a link of somebody else's, or a folder that everybody may write into, lies on the way."""
    for place in (path, *path.parents):
        about = os.lstat(place)
        link = stat.S_ISLNK(about.st_mode)
        if link and about.st_uid not in (0, os.geteuid()):
            raise FileError(f"{place}: a link that belongs to somebody else, expected a folder out of reach of others")
        if not link and about.st_mode & 0o002 and not about.st_mode & stat.S_ISVTX:
            raise FileError(f"{place}: can be written by everybody, expected a folder out of reach of others")


def closed_folder(folder) -> Path | None:
    """The folder on the way to a configuration made by root that mosquitto, as its own user, may not enter."""
    owner = _mosquitto()
    places = Path(os.path.abspath(folder)).parents if owner else ()
    return next((p for p in places if not p.stat().st_mode & 0o001 and p.stat().st_uid != owner[0]), None)


def _openssl(*arguments: str, within: Folder) -> None:
    here = f"/proc/self/fd/{within.fd}"  # the folder that was checked, whatever its name has become since
    done = subprocess.run(["openssl", *arguments], cwd=here, capture_output=True, text=True, umask=0o077)
    if done.returncode:
        said = (done.stderr.strip() or "failed").splitlines()[-1]
        raise FileError(f"{within.path}: openssl: {plain(said)}")


def certificates(folder: Folder, hosts, clients=()) -> None:
    """A certificate authority, the broker's certificate for these host names or addresses, and one per client.

    Everything is made in `folder`, which nobody else may enter; what the broker needs is copied out of it later.
    """
    curve, days = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"), str(DAYS)
    _openssl(
        "req", "-x509", *curve, "-days", days, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=polepair CA",
        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        within=folder,
    )  # fmt: skip
    names = ",".join(f"IP:{h}" if is_ip(h) else f"DNS:{h}" for h in hosts)
    for name, extra in [("broker", f"subjectAltName={names}"), *((c, "extendedKeyUsage=clientAuth") for c in clients)]:
        _openssl("req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}", within=folder)
        folder.write(f"{name}.ext", extra + "\n", 0o600)
        _openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", days,
            "-out", f"{name}.pem", "-extfile", f"{name}.ext", within=folder,
        )  # fmt: skip
        for rest in ("csr", "ext"):
            os.unlink(f"{name}.{rest}", dir_fd=folder.fd)


def _mosquitto() -> tuple[int, int] | None:
    """Whom mosquitto becomes when root starts it; None when nothing has to be handed over."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("mosquitto").pw_uid, grp.getgrnam("mosquitto").gr_gid
    except KeyError:
        return None


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


def _checked(given: Config, assets) -> tuple[list[str], str]:
    """Assets and prefix as they go into the files; ValueError for anything that could mean more than a name there."""
    assets = [checked_name(a, "asset") for a in assets]
    if not assets or READER in assets or len(set(assets)) < len(assets):
        raise ValueError(f"assets: expected at least one, all different, none of them called {READER}")
    for asset in assets:
        if asset.endswith((".key", ".pem", ".srl")) or (given.mutual and asset in ("broker", "ca")):
            raise ValueError(f"asset {asset}: expected a name that no key or certificate file has")
    parts = [checked_name(p, "prefix") for p in given.prefix.strip("/").split("/")] if given.prefix else []
    for host in given.hosts:
        checked_host(host, "host")
    if not given.hosts:
        raise ValueError("host: expected at least one")
    checked_host(given.bind, "bind")
    for name, value, most in (("port", given.port, 65535), ("autosave", given.autosave, 10**9)):
        if value is not None and not (isinstance(value, int) and 1 <= value <= most):
            raise ValueError(f"{name} = {value!r}: expected 1 to {most}")
    return assets, "".join(f"{p}/" for p in parts)


def write_config(folder, assets, **options) -> dict[str, Path]:
    """Writes mosquitto.conf, acl, passwords and certificates into `folder`; `secret` in it holds what is nobody else's:
    the password of each user, the authority's key and, for mutual TLS, the users' keys.

    options: those of Config. Returns the files by what they are. FileError unless the folder is new, or empty and the
    caller's own. Started by root, mosquitto is given the four things that it has to read or write as its own user.
    """
    given = taken(Config, options, "write_config")
    assets, prefix = _checked(given, assets)
    if given.tls and not shutil.which("openssl"):
        raise FileError("openssl is missing, expected the Debian package openssl, or --no-tls")
    path = Path(os.path.abspath(folder))
    if not str(path).isprintable() or str(path) != str(path).strip():
        raise ValueError("folder: expected a path without control characters and without blanks at its ends")
    made = Folder.fresh(path)
    try:
        return _fill(made, given, assets, prefix)
    except BaseException:
        made.clear()
        raise
    finally:
        made.close()


def _fill(folder: Folder, given: Config, assets: list[str], prefix: str) -> dict[str, Path]:
    path, owner, users = folder.path, _mosquitto(), (*assets, READER)
    secret, data = folder.sub("secret", 0o700), folder.sub("data", 0o700)
    try:
        if owner:
            os.fchown(data.fd, *owner)
        passwords = {user: secrets.token_urlsafe(24) for user in users}
        for user, password in passwords.items():
            secret.write(user, password + "\n", 0o600)
        if given.tls:
            _tls(folder, secret, given, users, owner)
    finally:
        secret.close()
        data.close()
    lines = [password_line(user, password) for user, password in passwords.items()]
    folder.write("passwords", "\n".join(lines) + "\n", 0o600, owner)
    folder.write("acl", acl(assets, prefix, given.commands), 0o600, owner)
    text = TLS.format(folder=path, mutual=str(given.mutual).lower()) if given.tls else ""
    fill = {"folder": path, "port": given.port or (8883 if given.tls else 1883), "bind": given.bind}
    fill |= {"tls": text, "autosave": given.autosave}
    folder.write("mosquitto.conf", CONF.format(**fill), 0o644)
    os.fchmod(folder.fd, 0o755)
    files = {"configuration": path / "mosquitto.conf", "passwords": path / "secret"}
    return {**files, "ca": path / "tls" / "ca.pem"} if given.tls else files


def _tls(folder: Folder, secret: Folder, given: Config, users, owner) -> None:
    """Makes keys and certificates in `secret` and puts the certificates and the broker's own key into `tls`."""
    clients = users if given.mutual else ()
    certificates(secret, given.hosts, clients)
    tls = folder.sub("tls", 0o755)
    try:
        for name in ("ca", "broker", *clients):
            tls.write(f"{name}.pem", secret.read(f"{name}.pem"), 0o644)
            os.unlink(f"{name}.pem", dir_fd=secret.fd)
        tls.write("broker.key", secret.read("broker.key"), 0o600, owner)
        os.unlink("broker.key", dir_fd=secret.fd)
    finally:
        tls.close()
