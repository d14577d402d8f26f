"""`logs`: logs of all formats, damaged, with mappings that fit them or nearly so."""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
import weakref
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

import conf
from experiments.tools.fuzz.cases import Fault
from experiments.tools.fuzz.mutate import Random, changed, damaged, some
from twin import LogMapping, inspect_log, read_log

_ENDS = ("csv", "csv", "jsonl", "json", "parquet", "parquet", "csv.gz", "zip")


class LogFuzzer:
    """A case writes a log, damages it or its mapping, and reads it."""

    errors = (ValueError, TypeError, OSError)

    def __init__(self) -> None:
        self._path = Path(tempfile.mkdtemp())
        weakref.finalize(self, shutil.rmtree, self._path)
        text = (Path(conf.__file__).resolve().parent / "mapping" / "colosseum.yaml").read_text()
        self._mapping = yaml.safe_load(text)
        self._table = made_log()

    def try_case(self, random: Random) -> bool:
        """See `Fuzzer`."""
        end = _ENDS[int(random.integers(len(_ENDS)))]
        path = self._path / f"log.{end}"
        table = _changed_table(self._table, random) if random.random() < 0.5 else self._table
        content = _content(table, end, self._path)
        path.write_bytes(damaged(content, random) if random.random() < 0.5 else content)
        mapping = changed(self._mapping, random) if random.random() < 0.4 else self._mapping
        if random.random() < 0.15:
            inspect_log(path)
            return True
        history = read_log(path, LogMapping.from_dict(mapping))
        finite = all(np.isfinite(values).all() for values in history.performance.values())
        if not finite or (history.arrivals < 0).any():
            raise Fault("a history with values that are no numbers, or below 0")
        return True


def made_log() -> pd.DataFrame:
    """Two runs of eight intervals of three slices."""
    random, rows = np.random.default_rng(0), []
    for run in ("a", "b"):
        for interval in range(8):
            units = random.multinomial(47, [0.4, 0.3, 0.3]) + 1
            for number in range(3):
                rows.append(
                    {
                        "experiment": run,
                        "interval": interval,
                        "timestamp": f"2026-01-01 00:00:{interval:02d}",
                        "slice": number,
                        "reports": 4,
                        "prb": int(units[number]),
                        "tx_packets": int(random.poisson(90)),
                        "tx_brate_mbps": round(float(random.gamma(2.0)), 3),
                        "dl_buffer_bytes": float(random.integers(9000)),
                        "prb_grant_ratio": 1.0,
                        "action_prb": int(units[number]),
                        "action_scheduler": int(random.integers(3)),
                    }
                )
    return pd.DataFrame(rows)


def _changed_table(table: pd.DataFrame, random: Random) -> pd.DataFrame:
    """Cells, rows or columns changed."""
    made = table.astype(object).copy()
    for _ in range(int(random.integers(1, 4))):
        row, column = int(random.integers(len(made))), int(random.integers(made.shape[1]))
        kind = int(random.integers(6))
        if kind < 3:
            value = some(random)
            made.iat[row, column] = str(value) if isinstance(value, bytes | complex | tuple | list | dict) else value
        elif kind == 3:
            made = made.drop(index=made.index[row])
        elif kind == 4:
            made = pd.concat([made, made.iloc[[row]]])
        else:
            made = made.drop(columns=made.columns[column])
        if made.empty:
            break
    return made.reset_index(drop=True)


def _content(table: pd.DataFrame, end: str, folder: Path) -> bytes:
    """The log as a file of a format."""
    if end == "parquet":
        import duckdb

        target = folder / "made.parquet"
        as_text = table.astype(str) if any(kind.kind == "O" for kind in table.dtypes) else table
        with duckdb.connect() as connection:
            connection.register("frame", as_text)
            connection.execute(f"COPY frame TO '{target}' (FORMAT parquet)")
        return target.read_bytes()
    if end in ("json", "jsonl"):
        rows = [dict(row) for row in table.astype(object).to_dict("records")]
        lines = [json.dumps(row, default=str) for row in rows]
        return ("\n".join(lines) if end == "jsonl" else f"[{','.join(lines)}]").encode(errors="replace")
    content: bytes = table.to_csv(index=False).encode(errors="replace")
    if end == "csv.gz":
        return gzip.compress(content)
    if end == "zip":
        target = folder / "made.zip"
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("log.csv", content)
        return target.read_bytes()
    return content
