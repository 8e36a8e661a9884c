"""The archive: points of a run as a Parquet file, written, and read metric by metric."""
