"""The beginning of a result as a table, whatever is in the file."""

from __future__ import annotations

import io

from webfront.pages.table import BYTES, CELL, COLUMNS, ROWS, Table, preview


def shown(data: bytes) -> Table:
    return preview("predictions.csv", len(data), io.BytesIO(data))


def test_numbers_are_told_from_words() -> None:
    table = shown(b"id,label,probability\n1,seven,0.98\n2,,1e-3\n")
    assert [column.numeric for column in table.columns] == [True, False, True]
    assert table.rows == (("1", "seven", "0.98"), ("2", "", "1e-3"))
    assert table.words == "All 2 rows."


def test_only_the_first_rows_of_a_long_one() -> None:
    table = shown(b"n\n" + b"".join(b"%d\n" % i for i in range(ROWS + 5)))
    assert len(table.rows) == ROWS
    assert table.words == f"The first {ROWS} rows. The download has all of them."


class Endless(io.RawIOBase):
    """A file larger than any memory, which counts what is read of it."""

    taken = 0

    def read(self, size: int = -1) -> bytes:
        assert size > 0
        self.taken += size
        return b"x," * (size // 2)


def test_a_huge_file_of_one_line_is_read_only_in_part() -> None:
    file = Endless()
    table = preview("predictions.csv", 2**50, file)  # type: ignore[arg-type]
    assert file.taken <= BYTES
    assert len(table.columns) <= COLUMNS


def test_a_cut_last_line_is_left_out() -> None:
    row = b"1234567,abcdefghijklmnop\n"
    data = b"n,text\n" + row * 30000
    table = preview("predictions.csv", len(data), io.BytesIO(data))
    assert all(cells == ("1234567", "abcdefghijklmnop") for cells in table.rows)


def test_what_is_no_table_says_so() -> None:
    assert shown(b"").words == "The file is empty."
    assert "not text" in shown(b"PK\0\1").words
    assert shown(b"a\n" + b"x" * 200_000 + b"\n").rows == () or len(shown(b"a\n" + b"x" * 200_000).rows[0][0]) <= CELL


def test_ragged_rows_keep_their_columns() -> None:
    assert shown(b"a,b\n1\n1,2,3\n").rows == (("1", "", ""), ("1", "2", "3"))
