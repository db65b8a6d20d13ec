"""Hooks that give schemathesis the state of the hub: which objects exist, in which state, and which ones the run must not
delete.

They also count requests and replies, for the figures at the end.
"""

import atexit
import json
import os
import random
import uuid
from collections import Counter, defaultdict

import schemathesis

KEY = os.environ["CONFORMANCE_KEY"]
PROVISIONER = os.environ["CONFORMANCE_PROVISIONER"]
EMAIL, PASSWORD = os.environ["CONFORMANCE_LOGIN"].split(maxsplit=1)
# The credentials' own ids.
KEPT = set(os.environ["CONFORMANCE_KEPT"].split())
# The share of well-formed ids that are replaced by ids of existing objects, and of names by names that are not in use.
REPLACED = 0.85
# The newest objects are the most likely to be open.
RECENT = 40

# Error messages of rules that JSON Schema cannot express: rules over several fields, sizes in bytes, the spelling of a
# number. A valid request that is refused with one of these is no finding; any other 400 is.
RULES = (
    "is one of the most common passwords",
    "must not be the e-mail address",
    "can't be used together",  # `page` and `after` of a timeline
    "Field 'encryptedContent' is required",  # content or components are
    "must name at least one agent",  # a human's session
    "Field 'participants' is required",  # a human's session; an agent's needs none
    "or 'name' is required",  # a participant is named by an id or by a name,
    "or 'email' is required",  # or by an e-mail address
    "must not be in the past",  # a deadline
    "must be a UUID of version 7",  # a session's id that the client chooses,
    "must have a time within a day",
    "requires 'responseRequired'",  # answerers of a question
    "requires a reply that settles",  # the outcome of an answer
    "must not contain duplicates",  # answerers,
    "who does not take part",
    "must have at most 4096 bytes",  # metadata, as JSON
    "must be an X25519 public key",  # the points in a key entry,
    "must be an Ed25519 public key",
    "must not be a point of low order",
    "must be the first 16 bytes of SHA-256",  # and its computed fields
    "must be the signature of this entry",
    "must be an object with content",  # a backup of keys
    "invalid type: floating point",  # 120.0, which JSON Schema counts as an integer
)

chance = random.Random(int(os.environ["CONFORMANCE_SEED"]))
# (caller, kind of object) -> its ids -> its status.
seen = defaultdict(dict)
tokens = {"refreshToken": [], "token": []}
serial = 0
cases = Counter()
answers = defaultdict(Counter)


def remember(case, body):
    """Records the ids in a reply."""
    caller = case.path.split("/")[2]
    items = body["data"] if isinstance(body.get("data"), list) else [body]
    for item in items:
        match item:
            case {"lastSeq": _, "spaceId": _, "id": id, "status": status}:
                seen[caller, "sessions"][(id,)] = status
            case {"acknowledgedAt": _, "id": id, "messageId": message, "status": status}:
                seen[caller, "interactions"][(id,)] = status
                seen[caller, "messages"][(id, message)] = status
            case {"seq": _, "senderType": _, "id": id, "sessionId": session, "status": status}:
                seen[caller, "messages"][(session, id)] = status
            case {"lastReadSeq": _, "id": id, "sessionId": session}:
                seen[caller, "participants"][(session, id)] = None
            case {"token": _, "participant": participant, "id": id}:
                seen[caller, "guest-tokens"][(participant["sessionId"], id)] = None
            case {"userAgent": _, "current": _, "id": id}:
                seen[caller, "sign-ins"][(id,)] = None
            case {"refreshToken": token}:
                tokens["refreshToken"].append(token)
            case {"id": id} if caller == "manage" and items == [body]:
                seen[caller, case.path.split("/")[3]][(id,)] = None
                if item.get("setupUrl"):
                    tokens["token"].append(item["setupUrl"].split("#setup=")[1])


def is_uuid(text):
    try:
        return str(uuid.UUID(text)) == text
    except (ValueError, TypeError, AttributeError):
        return False


def new_uuid():
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def pick_ids(case):
    """Replaces the ids in the path by those of an existing object, in a state that suits the operation."""
    ids = case.path_parameters
    _, _, caller, *rest = case.path.split("/")
    kind = [part for part, after in zip(rest, rest[1:]) if after.startswith("{")][-1]
    known = seen[caller, kind]
    if tuple(ids.values()) not in known and chance.random() < REPLACED:
        verb = rest[-1]
        if verb in ("respond", "cancel"):
            fit = lambda status: status == "Pending"
        elif verb == "acknowledge":
            fit = lambda status: status != "Pending"
        else:
            fit = lambda status: status not in ("Closed", "Archived")
        fitting = [ids for ids, status in known.items() if fit(status)] or list(known)
        if fitting:
            ids.update(zip(ids, chance.choice(fitting[-RECENT:])))
    # Using a setup link ends the sign-ins of its human.
    spared = KEPT if case.method == "DELETE" or case.path.endswith("/setup-link") else ()
    ids.update((name, new_uuid()) for name, id in list(ids.items()) if not is_uuid(id) or id in spared)


def renew(case):
    """Gives a valid body a name that is not in use, or a valid secret."""
    if not isinstance(case.body, dict) or not all(isinstance(case.body.get(key, ""), str) for key in ("name", "email")):
        return
    # Other cases share this object.
    body = case.body = dict(case.body)
    _, _, caller, kind, *_ = case.path.split("/")
    if case.method == "POST" and caller in ("manage", "provision"):
        if kind != "keys" and body.get("name"):
            body["name"] = (body["name"][:50] + f".{serial}").lstrip()
        if "@" in body.get("email", ""):
            body["email"] = f"{serial}.{body['email'][-200:]}"
    if case.path == "/v1/human/password" and {"current", "new"} <= body.keys():
        body.update(current=PASSWORD, new=PASSWORD)
    if caller == "auth":
        if kind == "login" and {"email", "password"} <= body.keys():
            body.update(email=EMAIL, password=PASSWORD)
        if kind == "logout" and "everywhere" in body:
            # This run goes on with the person's sign-in.
            body["everywhere"] = False
        for name, good in tokens.items():
            if isinstance(body.get(name), str) and good:
                # Keep one for the operations that require one.
                body[name] = good.pop() if kind != "logout" or len(good) > 1 else body[name]


@schemathesis.hook
def before_call(context, case, kwargs):
    global serial
    serial += 1
    # A link from a null value, such as the `humanId` of an agent's participant, has "None" as its id.
    if case.path_parameters and all(is_uuid(id) or id in (None, "None") for id in case.path_parameters.values()):
        pick_ids(case)
    valid = case.meta is None or case.meta.generation.mode.value == "positive"
    if valid and case.path.startswith("/v1/") and chance.random() < REPLACED:
        renew(case)
        # Otherwise most requests would fail with IDEMPOTENCY_MISMATCH.
        if "Idempotency-Key" in (case.headers or {}):
            case.headers["Idempotency-Key"] = f"{case.headers['Idempotency-Key'][:240]}.{serial}"
    if case.path.startswith("/v1/provision/") and (case.headers or {}).get("X-API-Key") == KEY:
        case.headers["X-API-Key"] = PROVISIONER
    if case.path.endswith("/await"):
        # The reply does not depend on the length of the wait.
        timeout = str((case.query or {}).get("timeout", 30))
        if timeout.isdecimal() and int(timeout) <= 55:
            case.query = {**(case.query or {}), "timeout": int(timeout) % 2}


@schemathesis.hook
def after_call(context, case, response):
    cases[case.meta.phase.name.value if case.meta else "other"] += 1
    answers[f"{case.method} {case.path}"][response.status_code] += 1
    if response.status_code < 300 and case.path.startswith("/v1/") and response.content:
        body = response.json()
        if isinstance(body, dict):
            remember(case, body)


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Ignores a valid request that was refused by a rule in `RULES`, which the document describes in prose."""
    refused = type(failure).__name__ == "RejectedPositiveData"
    return not (refused and response.status_code == 400 and any(rule in response.text for rule in RULES))


@atexit.register
def report():
    with open(os.environ["CONFORMANCE_FIGURES"], "w") as file:
        json.dump({"cases": cases, "answers": answers}, file)
