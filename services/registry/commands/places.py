"""Where the files of a version lie among tracking's proxied artifacts."""

from libs.common.errors import missing
from libs.common.principal import Principal
from libs.common.service import Running
from services.registry.commands import known
from services.registry.model import sources
from services.registry.model.sources import ArtifactSource, RunSource


async def place(running: Running, principal: Principal, location: str) -> tuple[str, ...]:
    """The folder that a version's storage location means, as segments of an artifact path."""
    if location in sources.PROMPT_PLACEHOLDERS:
        raise missing("A prompt's version has no files.")
    source = sources.parse(location, "run_id")
    if isinstance(source, RunSource):
        run = await known.run(running, principal, source.run_id)
        if run is None:
            raise missing(f"Run with id={source.run_id} not found")
        root = sources.parse(run.artifact_uri, "run_id")
        above = root.path if isinstance(root, ArtifactSource) else ()
        return (*above, *source.path)
    if isinstance(source, ArtifactSource):
        return source.path
    raise missing(f"'{location}' is no place of files.")
