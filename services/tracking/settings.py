"""tracking's own variables (TRACKING_…)."""

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What tracking reads beyond what every service reads.

    `artifact_store` is where artifacts lie: `file:///folder`, `s3://bucket/prefix`,
    `az://container/prefix` or `gs://bucket/prefix`. What is left empty of the `s3_…`, `azure_…` and
    `google_…` is found as the provider's own tools find it; `google_credentials` is a file. `artifact_max_bytes` is the size of the
    largest artifact that is taken, 0 where the store alone says. `artifact_grace_seconds` is how long
    bytes stay in the store after the last artifact that held them is gone or replaced.
    `retention_days` is how long deleted runs, logged models and experiments are kept before they are
    removed for good, 0 for ever; an experiment may have a rule of its own.
    `archive_days` is after how many days the points of a run that has ended are put into a file in the
    store, 0 never, where its experiment has no rule; a run with fewer than `archive_points` of them is
    left as it is. `archive_seconds` is how long the archiver rests at least.
    `pack_seconds` is how long the packer of metric points rests at least.
    `presigned_downloads` says that clients reach the store's endpoint themselves: they are given URLs
    of it that end after 300 seconds. `run_cache_bytes` bounds what is kept of runs in each process.
    `run_cache_seconds` is how long what a run shows may be kept, and so the longest that a process may
    show it as it was, where the one that changed it has lost Redis; 0 keeps nothing.
    `kafka_producer_password` is that of the broker's user `maestro-producer`, which may write
    `tracking.ingest.v1` alone, and `kafka_public_bootstrap` is where producers reach the broker, if
    not where services do: both are told to whoever may log into runs.
    """

    artifact_store: str
    s3_endpoint: str = ""
    s3_region: str = ""
    s3_access_key_id: str = ""
    s3_secret_access_key: str = ""
    azure_endpoint: str = ""
    azure_account: str = ""
    azure_key: str = ""
    google_credentials: str = ""
    artifact_max_bytes: int = 0
    artifact_grace_seconds: float = 3600.0
    retention_days: int = 30
    archive_days: int = 0
    archive_points: int = 10_000
    archive_seconds: float = 3600.0
    pack_seconds: float = 30.0
    presigned_downloads: bool = False
    run_cache_bytes: int = 64 * 1024 * 1024
    run_cache_seconds: float = 30.0
    kafka_producer_password: str = ""
    kafka_public_bootstrap: str = ""
