"""Whether a prefetch template is one that clients can fill."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl

from cds_service.conformance.checks import Check, held
from cds_service.wire.hooks import HOOKS, resource_members

_TOKEN = re.compile(r"\{\{(.*?)\}\}")
_BRACE = re.compile(r"[{}]")
_OF_THE_USER = {
    *("userPractitionerId", "userPractitionerRoleId", "userPatientId", "userRelatedPersonId"),
}
_CONTEXT = re.compile(r"context\.([A-Za-z]\w*)")
_PATH = re.compile(r"context\.[A-Za-z]\w*[.(\[].*|today\(\).*|%\w+.*")
# Members that are lists: they stand for no text.
_LISTS = ("selections", "dispatchedOrders", "fulfillmentTasks")
_READ_OR_SEARCH = re.compile(r"[A-Z][A-Za-z]+(/(\{\{.*\}\}|[A-Za-z0-9.\-]+))?(\?.*)?")
_OPERATION = re.compile(r"(^|/)\$|(^|/)_history|://")
_INCLUDES = ("_include", "_revinclude", "_has")
_OF_THE_PATIENT = ("patient", "subject", "_id", "beneficiary", "for")


def judge_template(key: str, template: str, hook: str) -> Iterator[Check]:
    """P-1 to P-9 for one template."""
    rest = _TOKEN.sub("", template)
    yield held("P-1", not _BRACE.search(rest), f"{key}: {template}")
    for token in map(str.strip, _TOKEN.findall(template)):
        yield from _token(key, token, hook)
    path, _, query = _TOKEN.sub("x", template).partition("?")
    is_simple = _READ_OR_SEARCH.fullmatch(template) and not _OPERATION.search(path)
    yield held("P-5", is_simple, f"{key}: neither a read nor a search")
    names = [name for name, _ in parse_qsl(query, keep_blank_values=True)]
    bare = [name.partition(":")[0] for name in names]
    includes = [name for name in bare if name in _INCLUDES]
    yield held("P-5", not includes, f"{key}: {', '.join(includes)}", only_warns=True)
    yield held("P-8", len(set(names)) == len(names), f"{key}: a parameter stands twice")
    if query and re.search(r"\{\{ *context\.patientId *\}\}", template) is None:
        yield held("P-9", False, f"{key}: a search about every patient", only_warns=True)
    elif query:
        is_limited = any(name.partition(".")[0] in _OF_THE_PATIENT for name in bare)
        yield held("P-9", is_limited, f"{key}: no parameter limits it", only_warns=True)


def _token(key: str, token: str, hook: str) -> Iterator[Check]:
    if _PATH.fullmatch(token):
        yield held("P-4", False, f"{key}: {token}")
        return
    found = _CONTEXT.fullmatch(token)
    yield held("P-2", found or token in _OF_THE_USER, f"{key}: {token}")
    if not found:
        return
    if hook in HOOKS:
        no_tokens = (*resource_members(hook), *_LISTS)
        yield held("P-4", found[1] not in no_tokens, f"{key}: {token} is no plain value")
        members = {field.data_key or name for name, field in HOOKS[hook].fields.items()}
        yield held("P-3", found[1] in members, f"{key}: {token} is not in the hook {hook}")
