"""Codes in databases that users already run: DuckDB, SQLite and PostgreSQL, by one interface."""

from .duck import DuckDBCodes
from .postgres import PostgresCodes
from .sqlite import SQLiteCodes

__all__ = ["DuckDBCodes", "PostgresCodes", "SQLiteCodes"]
