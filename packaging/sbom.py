"""sbom.py WHEEL: the bill of materials of a wheel as CycloneDX 1.6 JSON on stdout: what it holds, what it asks for."""

import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path

LINKED = {  # Debian's package: name, licence; what the wheel's libraries were made of
    "libpaho-mqtt-dev": ("paho.mqtt.c", "EPL-2.0 OR BSD-3-Clause"),
    "libssl-dev": ("openssl", "Apache-2.0"),
}


def debian(package: str) -> dict:
    """A component out of a Debian package."""
    query = ["dpkg-query", "-W", "-f", "${Version} ${source:Package}", package]
    version, source = subprocess.run(query, check=True, capture_output=True, text=True).stdout.split()
    name, licence = LINKED[package]
    upstream = re.sub(r"^\d+:|-[^-]*$", "", version)
    return {
        "type": "library",
        "bom-ref": name,
        "name": name,
        "version": upstream,
        "licenses": [{"expression": licence}],
        "purl": f"pkg:deb/debian/{source}@{version}",
    }


def required(metadata) -> list[dict]:
    """What pip installs beside the wheel: ranges, not versions; extras are optional."""
    out = []
    for line in metadata.get_all("Requires-Dist", []):
        name = re.match(r"[\w.-]+", line)[0].lower()
        wanted = {"type": "library", "bom-ref": line, "name": name, "purl": f"pkg:pypi/{name}"}
        wanted["scope"] = "optional" if "extra ==" in line else "required"
        out.append({**wanted, "properties": [{"name": "requirement", "value": line.split(";")[0].strip()}]})
    return out


def bill(wheel: Path) -> dict:
    """The bill of materials."""
    with zipfile.ZipFile(wheel) as archive:
        about = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(archive.read(about))
    name, version = metadata["Name"], metadata["Version"]
    made = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC).isoformat()
    product = {"type": "library", "bom-ref": "polepair", "name": name, "version": version}
    product["purl"] = f"pkg:pypi/{name}@{version}"
    product["licenses"] = [{"expression": metadata["License-Expression"]}]
    product["hashes"] = [{"alg": "SHA-256", "content": hashlib.sha256(wheel.read_bytes()).hexdigest()}]
    parts = [debian(p) for p in LINKED] + required(metadata)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"timestamp": made, "component": product},
        "components": parts,
        "dependencies": [{"ref": "polepair", "dependsOn": [p["bom-ref"] for p in parts]}],
    }


if __name__ == "__main__":
    print(json.dumps(bill(Path(sys.argv[1])), indent=1))
