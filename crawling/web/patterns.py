"""Include and exclude patterns over a URL's path and query, matched in time linear in their length.

A pattern is a glob unless it contains what only regular expressions use: one of `^$()[]{}|+\\`, or `.*`. The
prefixes `glob:` and `regex:` decide it. A glob covers the whole path (`*` is any run of characters); without
any `*` it covers that path and everything below it. A regular expression may match anywhere; it is compiled
by Rust's `regex` engine (through pydantic), which does not backtrack, so no pattern can stall a worker;
look-around and back-references are not supported.
"""

import re
from dataclasses import dataclass, field

from pydantic_core import SchemaError, SchemaValidator, core_schema

from crawling.errors import BadScope

MAX_PATTERN_CHARACTERS = 500
MAX_PATTERNS = 100

_REGEX_ONLY = re.compile(r"[\^$()\[\]{}|+\\]|\.\*")


@dataclass(frozen=True, slots=True)
class PathPattern:
    """One compiled pattern; `source` is what the user wrote. Raises: BadScope."""

    source: str
    _validator: SchemaValidator = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.source.strip() or len(self.source) > MAX_PATTERN_CHARACTERS:
            raise BadScope(
                f"A path pattern must have 1 to {MAX_PATTERN_CHARACTERS} characters; “{self.source[:80]}” does not."
            )
        try:
            schema = core_schema.str_schema(pattern=_regex_of(self.source.strip()), regex_engine="rust-regex")
            object.__setattr__(self, "_validator", SchemaValidator(schema))
        except SchemaError as error:
            cause = str(error).strip().rsplit("\n", 1)[-1].removeprefix("error: ")
            raise BadScope(
                f"The path pattern “{self.source}” is not a valid regular expression: {cause}. "
                "Correct it, or put glob: in front of it so that its characters are taken literally."
            ) from error

    def matches(self, target: str) -> bool:
        """Return whether the pattern covers `target`, a path with its query (`/docs/a?page=2`)."""
        return self._validator.isinstance_python(target)


def patterns_compiled(sources: tuple[str, ...], *, name: str) -> tuple[PathPattern, ...]:
    """Return the compiled patterns of the setting called `name`. Raises: BadScope."""
    if len(sources) > MAX_PATTERNS:
        raise BadScope(f"{name} contains {len(sources)} patterns; at most {MAX_PATTERNS} are accepted.")
    return tuple(PathPattern(source) for source in sources)


def _regex_of(source: str) -> str:
    if source.startswith("regex:"):
        return source.removeprefix("regex:")
    if not source.startswith("glob:") and _REGEX_ONLY.search(source):
        return source
    glob = source.removeprefix("glob:")
    if not glob.startswith(("/", "*")):
        glob = f"/{glob}"
    if "*" not in glob:
        return f"^{re.escape(glob.removesuffix('/'))}(?:[/?].*)?$"
    return "^" + ".*".join(re.escape(part) for part in re.split(r"\*+", glob)) + "$"
