"""Parameters that several tools share, described for a model, and what every tool returns."""

from typing import Annotated, Any

from pydantic import Field

#: `{"success": true, …}` with the server's reply, or what `failure` returns.
Answer = dict[str, Any]

JobId = Annotated[str, Field(description="Id of the job (a UUID), as crawl_website or list_jobs returns it.")]
ProjectId = Annotated[str, Field(description="Id of the project (a UUID), as list_projects returns it.")]
SourceGroup = Annotated[
    str | None,
    Field(description="Name of the source group, usually a company or site; default: the host's name."),
]
SourceGroups = Annotated[
    list[str] | None, Field(description="Only these source groups, as get_source_summary names them.")
]
FieldGroups = Annotated[
    list[str] | None, Field(description="Only these field groups of the project's extraction schema.")
]
Why = Annotated[str | None, Field(max_length=500, description="Why, in a few words: kept in the job's history.")]
Rows = Annotated[int, Field(ge=1, le=100, description="The most to return.")]
Offset = Annotated[int, Field(ge=0, description="How many to skip at the beginning, to get the next page.")]


def success(reply: dict[str, Any]) -> Answer:
    """Return the answer of a tool that succeeded."""
    return {"success": True, **reply}


def failure(message: str, *, code: str, status: int | None) -> Answer:
    """Return the answer of a tool that was refused or failed; status: that of HTTP, None when no answer came."""
    return {"success": False, "error": message, "code": code, "status": status}
