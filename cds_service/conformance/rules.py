"""The rules that a CDS Service is held against, each with an id, a level and a sentence.

SHALL and SHOULD are demands of CDS Hooks 2.0.1 (<https://cds-hooks.hl7.org/2.0/>). CLIENT is what
the specification leaves open, but real clients or the safety of patients need.
"""

from __future__ import annotations

from dataclasses import dataclass

_TABLE = """
J-1  SHALL  Traffic is by https; http is for the machine itself only.
J-2  SHALL  A body is strict JSON in UTF-8 and is sent as JSON.
J-3  SHALL  No member is null or empty, except `cards` and `services`.
J-4  SHALL  A FHIR resource inside an answer has no null and no empty member.
J-5  SHALL  `extension` is an object.
J-6  SHOULD The name of an extension is unique in the world: it has a dot or a colon.
D-1  SHALL  GET /cds-services answers with 200.
D-2  SHALL  Discovery is an object with a list named `services`.
D-3  SHALL  Each service names its `hook`.
D-4  SHALL  Each service has a `description`.
D-5  SHALL  Each service has an `id`.
D-6  SHOULD Each service has a `title`, which is text.
D-7  SHALL  `prefetch` is an object of texts, and not empty.
D-8  SHALL  `usageRequirements` is text.
D-10 SHALL  `hookVersion` is the published version of the hook.
D-11 SHALL  No two services have the same id and hook.
D-12 SHOULD The hook is in the library and not deprecated, or a private name with dots.
D-13 CLIENT The id can stand in an address as it is.
D-14 CLIENT Discovery has no members that the specification does not know.
D-15 SHOULD Discovery says the same each time.
D-16 CLIENT Discovery also answers at its address with a slash at the end.
D-17 CLIENT Discovery answers other methods with 405.
P-1  SHALL  A token of a template stands between {{ and }}.
P-2  SHALL  A token is a member of the context or one of the four ids of the user.
P-3  SHALL  A token of the context names a member that the hook has.
P-4  SHALL  A token is a plain value: no path into a resource, no today().
P-5  SHOULD A template is a read or a search of one type, without operations and includes.
P-8  CLIENT No parameter stands twice in a template.
P-9  CLIENT A search is limited to the patient.
S-1  SHALL  A call with all data is answered with 200.
S-2  SHALL  The answer is an object with a list named `cards`.
S-3  SHOULD Nothing to say is 200 and an empty list of cards.
S-4  CLIENT An answer has only cards, systemActions and extension.
S-6  CLIENT What a request has besides is ignored: members, extensions, a charset.
S-7  SHALL  A member of the context that is optional may be missing.
S-8  SHALL  The user may be of each type that the hook allows.
S-9  SHOULD An answer takes about half a second.
PR-1 SHALL  A prefetched value may be null: there is no data.
PR-2 SHOULD A prefetched value may be an OperationOutcome.
PR-3 SHALL  A prefetch key may be missing.
PR-4 SHALL  Without the data that it needs, the service answers 412.
PR-5 SHALL  A search may have found nothing, or carry an OperationOutcome.
PR-6 CLIENT A search may have more pages.
PR-7 CLIENT A prefetched value of a wrong type breaks nothing.
C-1  SHALL  A card is an object.
C-2  SHALL  A card has a `summary`.
C-3  SHALL  A summary has at most 139 characters, on one line.
C-4  SHALL  `indicator` is info, warning or critical.
C-5  SHALL  `detail` is text.
C-6  CLIENT A card has a `uuid`, in small letters.
C-7  SHALL  No uuid stands twice in an answer.
C-8  SHALL  A uuid is not used for the card of another patient.
C-9  CLIENT A detail has no markup that a browser runs.
C-10 SHALL  `suggestions` is a list, and not empty.
C-11 SHALL  With suggestions, `selectionBehavior` is at-most-one or any.
C-12 SHALL  `links` is a list, and not empty.
C-14 CLIENT A card has no members that the specification does not know.
SR-1 SHALL  A card has a `source`, which is an object.
SR-2 SHALL  The source has a `label`.
SR-3 SHALL  The url of a source is a whole address.
SR-4 SHALL  The icon of a source is a whole address.
SR-5 SHALL  The topic of a source has a code and a system.
O-1  SHALL  `overrideReasons` is a list, and not empty.
O-2  SHALL  An override reason has code, system and display.
O-3  CLIENT No override reason stands twice on a card.
O-4  CLIENT A card with override reasons has a uuid.
SG-1 SHALL  A suggestion has a `label`.
SG-2 CLIENT A suggestion has a `uuid`.
SG-3 SHALL  `isRecommended` is true or false.
SG-4 SHALL  Where one suggestion at most can be taken, one at most is recommended.
SG-5 SHALL  `actions` is a list, and not empty.
SG-6 SHALL  `actionSelectionBehavior` is not sent: clients of 2.0.1 do not know it.
A-1  SHALL  The type of an action is create, update or delete.
A-2  SHALL  An action of a suggestion has a `description`.
A-3  SHALL  A create brings a whole resource.
A-4  SHALL  An update brings a whole resource with its id.
A-5  SHOULD A delete names a resource as Type/id in `resourceId`.
A-6  CLIENT An action has no members that the specification does not know.
A-7  CLIENT The resource of an action is about the patient of the call.
SA-1 SHALL  `systemActions` is a list of actions, and not empty.
SA-2 SHOULD No systemActions are sent to a client that has not agreed to them.
L-1  SHALL  A link has a `label`.
L-2  SHALL  The url of a link is a whole address.
L-3  SHALL  The type of a link is absolute or smart.
L-4  SHALL  Only a smart link has `appContext`, and it is text.
L-5  SHALL  `autolaunchable` is true or false.
L-6  CLIENT A link is https, or to the machine itself, without a password in it.
L-7  CLIENT A link does not hold the id of the patient.
F-1  CLIENT Feedback is accepted, or answered with 404.
F-2  SHALL  Feedback in every valid form is accepted.
F-3  CLIENT Feedback on an unknown card, or an empty list of it, is no failure of the service.
F-4  CLIENT Nonsense as feedback is refused.
F-5  CLIENT Feedback without the members that its outcome needs is refused.
F-6  CLIENT Feedback on an unknown service is answered with 404.
F-7  CLIENT GET of feedback is answered with 405.
E-1  SHOULD An error is told as an OperationOutcome.
E-2  CLIENT An error shows nothing from inside: no stack trace, no path.
E-3  SHALL  An issue of an OperationOutcome has a severity and a code.
N-1  CLIENT A body that is no JSON is refused.
N-2  CLIENT A body that is JSON but no object is refused.
N-3  CLIENT A call with the hook of another service is refused.
N-4  CLIENT A call with an unknown hook, or none, is refused.
N-5  SHALL  A call without hookInstance is no failure of the service.
N-6  CLIENT A hookInstance that is no UUID is no failure of the service.
N-7  CLIENT A call without a context is refused.
N-8  CLIENT A call without the members that its context needs is refused.
N-9  CLIENT A member of the wrong type is refused.
N-10 CLIENT An access token without a FHIR server is refused.
N-11 CLIENT An unknown service is answered with 404.
N-12 CLIENT Another method is answered with 405 and `Allow: POST`.
N-13 CLIENT A body of another media type is refused with 415.
N-14 CLIENT Odd numbers and broken characters are no failure of the service.
N-15 CLIENT A body that nests very deeply is no failure of the service.
N-16 CLIENT A very long body is no failure of the service.
N-20 CLIENT After all of this the service still answers.
H-1  CLIENT The same data gets the same cards.
H-2  CLIENT Markup in the record does not become markup of a card.
H-3  CLIENT Long and odd texts of the record break nothing.
H-4  CLIENT Resources with faults, or of an older FHIR, break nothing.
H-8  CLIENT The answer about one patient never has a text of another.
T-1  CLIENT Where nobody is asked for a token, one of an unknown client changes nothing.
T-2  CLIENT Where nobody is asked for a token, a strange Authorization header changes nothing.
T-3  SHOULD Where tokens are asked for, every call without one is answered with 401.
T-4  SHOULD A 401 does not say what was wrong.
T-5  SHALL  A token that is not signed, or signed with a shared secret, is refused.
T-6  SHALL  The access token for the FHIR server does not come back.
T-7  SHALL  The signature and the audience of a token are checked.
T-8  SHOULD A token is good for one call.
FA-1 SHALL  A FHIR server that does not answer is no failure of the service.
FA-4 SHOULD A FHIR server that does not answer takes no more than 10 seconds.
X-1  SHALL  A preflight is answered with 2xx, without a token.
X-2  SHALL  A preflight allows the origin and the method.
X-3  SHALL  A preflight allows the headers authorization and content-type.
X-4  SHALL  An answer may be read by the page that asked.
X-5  CLIENT An error may be read by the page that asked.
X-6  CLIENT An answer for one origin says `Vary: Origin`.
X-7  CLIENT Not every origin may send credentials.
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; `level` is SHALL, SHOULD or CLIENT."""

    id: str
    level: str
    sentence: str


RULES = {
    rule.id: rule
    for rule in (Rule(*line.split(maxsplit=2)) for line in _TABLE.splitlines() if line)
}
