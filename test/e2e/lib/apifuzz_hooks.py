"""What test/e2e/apifuzz.py tells schemathesis of the API that an OpenAPI document cannot say.

A document describes each value for itself. Some values have to agree with others or with what is
stored: names in a path with those in the body, a continue token with the list that it came from, a
digest with the bytes of its module. Nearly every valid request that is made up would break such a
rule and be refused before anything of interest happens; so it is mended here as a client would do
it. Requests that are meant to be wrong stay as they are, but none waits long."""
import hashlib
import os
import re

import requests
import schemathesis

SESSION = requests.Session()
SESSION.trust_env = False
SESSION.verify = os.environ["SW_APIFUZZ_AUTHORITY"]
SESSION.cert = (os.environ["SW_APIFUZZ_CERTIFICATE"], os.environ["SW_APIFUZZ_KEY"])
SERVER = os.environ["SW_APIFUZZ_SERVER"]
with open(os.environ["SW_APIFUZZ_MODULE"], "rb") as module_file:
    MODULE = module_file.read()
DIGEST = "sha256:" + hashlib.sha256(MODULE).hexdigest()
TEMPLATES = "/apis/swarm/v1/namespaces/{namespace}/agenttemplates/"
TEMPLATE = os.environ["SW_APIFUZZ_TEMPLATE"]
KEY_BYTES_MAX = 253
INSTANCE_BYTES_MAX = 255
DNS_NAME_BYTES_MAX = 253
PLAIN_BYTES = 65536  # Of a value of a Secret.
TEXT_BYTES = 63  # Shorter texts fit everywhere.
# A collection, an object or its status, of whatever kind: what follows the root or a namespace.
OBJECT = re.compile(r"^/apis/swarm/v1(?:/namespaces/\{namespace\})?/([a-z]+)"
                    r"(?:/\{name\}(?:/status)?)?$")
DURATION = re.compile("^[0-9]+(ns|us|ms|s|m|h|d)$")


@schemathesis.serializer("application/wasm")
def serialize_wasm(_context, value):
    """A body stays a text until it is sent, since that is what its schema calls it."""
    return MODULE if value == DIGEST else str(value).encode(errors="replace")


def read(case, path=None, **query):
    """What is stored under the path of the case, or another, or None."""
    path = path or case.path.removesuffix("/status")
    for name, value in (case.path_parameters or {}).items():
        path = path.replace("{" + name + "}", requests.utils.quote(str(value), safe=""))
    answer = SESSION.get(SERVER + path, params=query, timeout=10)
    return answer.json() if answer.status_code == 200 else None


def mend_egress(rule):
    """What a rule of spec.egress names is any text to a document."""
    rule["hosts"] = ["api.example.com:8443"]
    for name, item in (("paths", "/v1/*"), ("secrets", "shop/token")):
        if name in rule:
            rule[name] = [item for _ in rule[name]]
    rule["headers"] = {key: "Bearer {{secret:shop/token}}" for key in rule.get("headers", {})
                       if is_key(key) and "/" not in key}


def mend_agent(case, spec, old):
    """The rules between the fields of an AgentSpec, and what never changes once it is written."""
    if "template" in spec:
        spec["template"] = TEMPLATE
        if read(case, TEMPLATES + TEMPLATE) is None:
            del spec["template"]
            spec.setdefault("module", DIGEST)
    for name in ("keyed", "runtime", "durability", "isolation"):
        if old is not None:
            spec.pop(name, None)
            if name in old:
                spec[name] = old[name]
    if spec.get("keyed"):
        spec.pop("replicas", None)
    if spec.get("engine") == "compute" and "replicas" in spec:
        spec["replicas"] = min(spec["replicas"], 16384)
    if spec.get("restart"):
        spec["restart"]["maxBackoff"] = "1d"
    if not spec.get("keyed"):
        spec.pop("idle", None)
    if spec.get("retry"):
        spec["retry"]["maxBackoff"] = "1d"
    for rule in spec.get("egress", []):
        mend_egress(rule)
    if spec.get("approvals"):
        spec["approvals"] = {"approvers": ["ada", "bob"], "quorum": 2, "onTimeout": "deny"}


def mend_pod(spec, old):
    if spec.get("slots"):  # Ranges must not overlap.
        spec["slots"] = [{"first": 0, "count": spec["slots"][0]["count"]}]
    for name in ("agentName", "agentUid") if old is not None else ():
        spec[name] = old[name]
    spec.setdefault("agent", {}).setdefault("module", DIGEST)  # No template is looked up any more.


def mend_provider(spec):
    """Each model once, the longest wait last, and parts of the API for one protocol only."""
    if spec.get("protocol") == "anthropic":
        spec.pop("apis", None)
    if spec.get("retries"):
        spec["retries"]["maxBackoff"] = "1d"
    if "[" in spec.get("baseURL", ""):  # schemathesis reads those of answers, and ends at odd ones.
        spec["baseURL"] = "https://[2001:db8::1]/v1"
    names = set()
    spec["models"] = [model for model in spec.get("models", [])
                      if not (model.get("name") in names or names.add(model.get("name")))]


def mend_secret(spec):
    """A sealed text is longer than what it holds, and one that is made up opens nowhere."""
    for key in [key for key in spec.get("data", {}) if not is_key(key)]:
        del spec["data"][key]
    for key, value in spec.get("data", {}).items():
        spec["data"][key] = value.replace("sealed:", "sealed ")[:PLAIN_BYTES]


def mend_spec(case, kind, spec, old):
    if kind == "agents":
        mend_agent(case, spec, old)
    elif kind == "pods":
        mend_pod(spec, old)
    elif kind == "modelproviders":
        mend_provider(spec)
    elif kind == "secrets":
        mend_secret(spec)
    elif kind == "budgets" and old is not None:
        spec.pop("agent", None)
        if "agent" in old:
            spec["agent"] = old["agent"]
    if kind in ("pods", "agenttemplates") and "agent" in spec:
        mend_agent(case, spec["agent"], old.get("agent") if kind == "pods" and old else None)


def mend_names(case, kind):
    metadata = case.body.get("metadata", {})
    if case.method == "POST" and kind == "clusters":
        metadata["name"] = "default"
    for name in ("name", "namespace"):
        if name in metadata and name in case.path_parameters:
            metadata[name] = case.path_parameters[name]


def mend_meta(metadata):
    if "finalizers" in metadata:  # The platform may add one of its own.
        metadata["finalizers"] = metadata["finalizers"][:15]
    for name in ("labels", "annotations"):
        for key in [key for key in metadata.get(name, {}) if not is_key(key)]:
            del metadata[name][key]


def mend_texts(value):
    """JSON Schema counts characters, limits are in bytes; and no text of ours has a NUL."""
    if isinstance(value, dict):
        return {name.replace("\0", "?"): mend_texts(item) for name, item in value.items()}
    if isinstance(value, list):
        return [mend_texts(item) for item in value]
    if isinstance(value, str) and len(value.encode(errors="replace")) > TEXT_BYTES:
        return re.sub("[^ -~]", "?", value)
    return value.replace("\0", "?") if isinstance(value, str) else value


def is_key(key):
    """No pattern can count the bytes of the name before the slash."""
    return len(key.lstrip("!").split("/")[0]) <= DNS_NAME_BYTES_MAX or "/" not in key


def mend_object(case):
    case.body = mend_texts(case.body)
    place = OBJECT.match(case.path)
    if place is None:  # No object: a message, or whatever else takes JSON.
        return
    kind = place.group(1)
    old = None if case.method == "POST" else read(case)
    mend_names(case, kind)
    mend_meta(case.body.get("metadata", {}))
    if isinstance(case.body.get("spec"), dict):
        mend_spec(case, kind, case.body["spec"], None if old is None else old.get("spec", {}))


def mend_query(case):
    query = case.query
    for name, value in query.items():
        query[name] = mend_texts(value)
    if case.method == "POST" and str(query.get("dryRun")).lower() == "true":
        query["dryRun"] = "false"  # What it makes is looked for afterwards.
    if "labelSelector" in query:
        terms = str(query["labelSelector"]).split(",")
        query["labelSelector"] = ",".join(filter(is_key, terms))
    if "continue" in query and case.path.endswith("/instances"):
        query["continue"] = "0123456789"
    elif "continue" in query and case.path.endswith("/deadletters"):
        query["continue"] = "1"
    elif "continue" in query:
        metadata = (read(case, limit=1) or {"metadata": {}})["metadata"]
        query["continue"] = metadata.get("continue", "")
        query.pop("resourceVersion", None)  # The token has it.
    if "key" in query and case.path.endswith("/send"):
        room = INSTANCE_BYTES_MAX - len(case.path_parameters["name"]) - 1
        query["key"] = query["key"].encode()[:room].decode(errors="ignore") or "k"
    if case.path.endswith("/history"):
        if "key" in query:
            query["key"] = query["key"].encode()[:KEY_BYTES_MAX].decode(errors="ignore") or "k"
        if case.method == "GET" and query.get("view") != "replay":
            query.pop("module", None)  # What is only read runs no other one.


def mend_module(case):
    if case.method == "PUT":
        case.body = DIGEST
    if case.method == "PUT" or case.path_parameters["digest"][-1] in "01234567":
        case.path_parameters["digest"] = DIGEST


def be_quick(case):
    """An answer that never comes is waited for."""
    if case.path.endswith("/send") and isinstance(case.query, dict):
        if DURATION.match(str(case.query.get("timeout", "30s"))):
            case.query["timeout"] = "50ms"


@schemathesis.hook
def before_call(_context, case, _kwargs):
    be_quick(case)
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if isinstance(case.query, dict):
        mend_query(case)
    if "/modules/" in case.path:
        mend_module(case)
    elif isinstance(case.body, dict):
        mend_object(case)
