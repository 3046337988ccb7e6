"""The binary archives of the C++ library cereal, in which eos stores its models.

Little endian, no names and no padding: `uint32` class versions, `uint64` counts before vectors,
strings and maps, `int32` rows and columns before Eigen matrices, whose numbers follow column by
column.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tfface.morphable.readers.files import PathLike, require_file, wrong


class CerealReader:
    """Reads values one after another; every read says what it is for.

    Raises:
        FileNotFoundError: if the file is missing.
        FaceModelError: if the file ends before a value does.
    """

    def __init__(self, path: PathLike, what: str) -> None:
        self.path = require_file(path, what)
        self._data = Path(path).read_bytes()
        self._offset = 0

    def array(self, dtype: str, count: int, what: str) -> np.ndarray:
        size = count * np.dtype(dtype).itemsize
        left = len(self._data) - self._offset
        if count < 0 or size > left:
            expected = f"{size} bytes of {what} from byte {self._offset}"
            raise wrong(self.path, expected, f"{left} (truncated, or another format)")
        values = np.frombuffer(self._data, dtype, count, self._offset)
        self._offset += size
        return values

    def count(self, what: str) -> int:
        return int(self.array("<u8", 1, what)[0])

    def integer(self, what: str, dtype: str = "<i4") -> int:
        return int(self.array(dtype, 1, what)[0])

    def text(self, what: str) -> str:
        return self.array("u1", self.count(what), what).tobytes().decode("utf-8", "replace")

    def matrix(self, what: str) -> np.ndarray:
        """Returns `(rows, columns)` float32."""
        rows, columns = (int(n) for n in self.array("<i4", 2, f"the size of {what}"))
        if rows < 0 or columns < 0:
            raise wrong(self.path, f"the size of {what}", f"{rows} x {columns}")
        values = self.array("<f4", rows * columns, what).reshape(columns, rows).T
        if not np.isfinite(values).all():
            raise wrong(self.path, f"{what} to be finite", "NaN or infinite values")
        return values

    def end(self) -> None:
        left = len(self._data) - self._offset
        if left:
            raise wrong(self.path, "the end of the file", f"{left} more bytes")
