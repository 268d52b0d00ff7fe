"""The peers' JSON lines as one CSV: to_csv.py RESULTS.jsonl OUT.csv (best and median over the rounds)."""

import csv
import json
import statistics
import sys
from pathlib import Path

KEY = ("case", "peer", "step_us", "rtol", "threads", "note")
RATES = ("sim_s_per_cpu_s", "variants_per_s_ideal")


def main():
    """Groups the rounds and writes a row per peer and configuration."""
    groups = {}
    for line in Path(sys.argv[1]).read_text().splitlines():
        row = json.loads(line)
        groups.setdefault(tuple(row.get(k, "") for k in KEY), []).append(row)
    with open(sys.argv[2], "w", newline="") as f:
        out = csv.writer(f)
        out.writerow([*KEY, "rate", "best", "median", "err_speed", "err_current", "rounds"])
        for key, rows in sorted(groups.items(), key=lambda item: tuple(map(str, item[0]))):
            rate = next((r for r in RATES if r in rows[0]), None)
            if rate:
                values = [r[rate] for r in rows]
                errors = [rows[0].get(k, "") for k in ("err_speed", "err_current")]
                out.writerow([*key, rate, max(values), statistics.median(values), *errors, len(rows)])


if __name__ == "__main__":
    main()
