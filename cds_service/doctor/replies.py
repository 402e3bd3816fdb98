"""What is wrong with one answer of a FHIR server, whatever is in it."""

from __future__ import annotations

from cds_service.conformance.caller import Reply
from cds_service.doctor.findings import Finding, fault, note

PROFILE = "Set CDS_FHIR_PROFILE to the maker of this server, or CDS_FHIR_EXTRA"


def problem_of(about: str, reply: Reply, asked: str) -> Finding | None:
    """What is wrong with an answer itself."""
    status, type_ = reply.status, asked.partition("?")[0].partition("/")[0]
    if not status:
        return fault(about, reply.trouble, "Look at the server and the network.")
    if status in (401, 403):
        mend = f"The token must allow reading and searching {type_}."
        return fault(about, f"{status}: this token may not", mend)
    if status == 404 and "?" in asked:
        mend = "Nothing, if this server really has none: it is then silent, and no failure."
        return note(about, "404: the server has no such resources", mend)
    if 300 <= status < 400:
        mend = "Give the address that it leads to as the base: redirects are not followed."
        return fault(about, f"{status}: a redirect", mend)
    if status != 200:
        mend = "Look at the log of the server." if status >= 500 else f"{PROFILE}."
        return fault(about, f"{status}: refused", mend)
    if "json" not in reply.kind or not reply.resource_type:
        kind = reply.kind or "no media type"
        return fault(about, f"no FHIR JSON came ({kind})", "Look for a login page in between.")
    if "?" in asked and reply.resource_type != "Bundle":
        text = f"a search is answered with {reply.resource_type}"
        return fault(about, text, "Look at what it says; ask its maker.")
    return None
