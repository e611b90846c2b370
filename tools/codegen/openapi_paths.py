"""The paths of swagger.yaml: the same verbs for every kind, messages, modules, health."""

import openapi_ranges
from openapi import FORMATS, TEXT, UINT64

ERRORS = {
    "400": "The request is wrong; code, field and hint say where.",
    "401": "No acceptable identity was shown.",
    "403": "This identity may not do this.",
    "404": "There is no such object.",
    "405": "The resource does not take this method.",
    "406": "The answer cannot be given in the form that was asked for.",
    "408": "The request took too long to arrive.",
    "409": "Somebody else changed it first, or it is there already.",
    "410": "That part of the history is no longer kept.",
    "411": "The size of the body has to be given.",
    "412": "Right request, wrong state.",
    "413": "The body is too large.",
    "415": "The body is not of a type that is taken here.",
    "429": "A limit, quota or queue is full.",
    "431": "The headers are too large or too many.",
    "500": "A broken promise of the platform's own.",
    "501": "Not offered by this build.",
    "503": "Not now; retrying later may succeed.",
    "504": "The deadline passed first; the outcome may be unknown.",
}
READ = ("400", "401", "403", "404", "405", "406", "408", "429", "431", "503")
WRITE = READ + ("409", "411", "412", "413", "415")


EVENT = {"description": "One event; data is JSON."}


def ref(name):
    return {"$ref": f"#/components/schemas/{name}"}


def parameter(name, place, description, schema, required=False, example=None):
    out = {"name": name, "in": place, "description": description, "required": required,
           "schema": schema}
    if example is not None:
        out["example"] = example
    return out


def label_parameter(name, description, example):
    return parameter(name, "path", description,
                     {"type": "string", "pattern": FORMATS["LABEL"][0], "maxLength": 63}, True,
                     example)


KEY, VALUE = FORMATS["QUALIFIED_NAME"][0][1:-1], FORMATS["LABEL_VALUE"][0][1:-1]
TERM = f"(!?{KEY}|{KEY}(=|==|!=){VALUE})"
SELECTORS = f"^({TERM}(,{TERM}){{0,15}})?$"
NAMESPACE = label_parameter("namespace", "The namespace.", "default")
SELECTOR = parameter("labelSelector", "query",
                     "Only objects whose labels fit, such as \"app=reader,tier!=test\".",
                     {"type": "string", "pattern": SELECTORS, "maxLength": 1024},
                     example="app=reader")
DRY_RUN = parameter("dryRun", "query", "Check all and answer as if it had been done, but do "
                    "nothing.", {"type": "boolean", "default": False})
LIST = [
    SELECTOR,
    parameter("limit", "query", "The most objects in a page; 0 means 500.",
              {"type": "integer", "minimum": 0, "maximum": 5000, "default": 500}),
    parameter("continue", "query", "`metadata.continue` of the page before.",
              {"type": "string", "pattern": TEXT, "maxLength": 1024}),
    parameter("resourceVersion", "query",
              "Read at this revision, or watch from it; 0 means the newest.",
              {"type": "string", "pattern": UINT64}, example="1"),
    parameter("name", "query", "Only the object of this name.",
              {"type": "string", "pattern": FORMATS["LABEL"][0], "maxLength": 63}),
    parameter("watch", "query", "1: follow changes as server-sent events.",
              {"type": "string", "enum": ["0", "1", "true", "false"], "default": "0"}),
]


def errors(codes):
    return {code: {"description": ERRORS[code],
                   "content": {"application/problem+json": {"schema": ref("Problem")}}}
            for code in codes}


def answer(description, name, codes, status="200"):
    return {status: {"description": description,
                     "content": {"application/json": {"schema": ref(name)}}},
            **dict(sorted(errors(codes).items()))}


def body(name, example, media="application/json"):
    return {"required": True, "description": f"The {name}.",
            "content": {media: {"schema": ref(name), "example": example}}}


def operation(identifier, tag, summary, description, responses, **others):
    return {"operationId": identifier, "tags": [tag], "summary": summary,
            "description": description, **others, "responses": responses}


def example_object(item):
    """A small valid object of the kind, for bodies."""
    name = "default" if item.name == "Cluster" else item.name.lower() + "-1"
    out = {"apiVersion": "swarm/v1", "kind": item.name, "metadata": {"name": name}}
    if item.kind.namespaced:
        out["metadata"]["namespace"] = "default"
    spec = {"module": FORMATS["DIGEST"][1], "replicas": 3}
    others = {"Agent": {"spec": spec}, "AgentTemplate": {"spec": {"agent": spec}},
              "Pod": {"spec": {"agentName": "reader", "agentUid": FORMATS["UUID"][1],
                               "slots": [{"first": 0, "count": 64}], "agentGeneration": "1",
                               "agent": spec}},
              "Event": {"involvedObject": {"kind": "Agent", "name": "reader"},
                        "reason": "PodReady"}}
    return {**out, **others.get(item.name, {})}


def example_status(item):
    phase = next((f.enum for f in item.field("status").message.fields
                  if f.enum and f.enum.is_machine), None)
    first = {} if phase is None else {
        "phase": next(value.text for value in phase.values if value.initial)}
    return {"metadata": example_object(item)["metadata"], "status": first}


def collection(item, title, plural):
    events = {"description": "The objects, or with watch=1 their changes: the data of "
              "each event is JSON with type (ADDED, MODIFIED, DELETED or BOOKMARK), object and "
              "resourceVersion.",
              "content": {"application/json": {"schema": ref(item.name + "List")},
                          "text/event-stream": {"schema": EVENT}}}
    return {
        "get": operation(f"list{title}", plural, f"List or watch {plural}",
                         f"Read a page of {plural}, or follow their changes with watch=1.",
                         {"200": events, **errors(READ + ("410",))}, parameters=LIST),
        "post": operation(f"create{item.name}", plural, f"Make one of {plural}",
                          f"Make a new {item.name}. 409 when there is one of this name.",
                          answer("The object as it was written.", item.name, WRITE, "201"),
                          parameters=[DRY_RUN], requestBody=body(item.name, example_object(item)))}


def single(item, plural):
    what = item.name
    example = example_object(item)
    delete = [DRY_RUN,
              parameter("uid", "query", "Delete only if the object has this uid.",
                        {"type": "string", "pattern": FORMATS["UUID"][0]}),
              parameter("resourceVersion", "query", "Delete only at this resourceVersion.",
                        {"type": "string", "pattern": UINT64}, example="1")]
    return {
        "get": operation(f"get{what}", plural, f"Read one of {plural}", f"Read one {what}.",
                         answer("The object.", what, READ)),
        "put": operation(f"update{what}", plural, f"Replace one of {plural}",
                         f"Replace labels, annotations and spec of one {what}. With a "
                         "resourceVersion in the body it fails when somebody else was faster.",
                         answer("The object as it was written.", what, WRITE),
                         parameters=[DRY_RUN], requestBody=body(what + "Update", example)),
        "patch": operation(f"apply{what}", plural, f"Make or change one of {plural}",
                           f"Make the {what}, or replace its spec. Labels, annotations, "
                           "finalizers and owners that the body does not name stay.",
                           {**answer("The object as it was written.", what, WRITE),
                            "201": {"description": "The object is new.",
                                    "content": {"application/json": {"schema": ref(what)}}}},
                           parameters=[DRY_RUN],
                           requestBody=body(what + "Update", example,
                                            "application/apply-patch+json")),
        "delete": operation(f"delete{what}", plural, f"Delete one of {plural}",
                            f"Delete one {what}. It goes away when its finalizers are done.",
                            answer("The object as it was last.", what, WRITE),
                            parameters=delete)}


def status(item, plural):
    what = item.name
    return {
        "get": operation(f"get{what}Status", plural, f"Read the status of one of {plural}",
                         f"Read one {what}; the same as without /status.",
                         answer("The object.", what, READ)),
        "put": operation(f"update{what}Status", plural, f"Replace the status of one of {plural}",
                         f"Replace the status of one {what}; nothing else is changed. States move "
                         "as the tables of the reference allow; 400 otherwise.",
                         answer("The object as it was written.", what, WRITE),
                         requestBody=body(what + "OfStatus", example_status(item)))}


def kind_paths(item):
    plural = item.kind.plural
    title = plural[0].upper() + plural[1:]
    base = "/apis/swarm/v1" + ("/namespaces/{namespace}" if item.kind.namespaced else "")
    name = label_parameter("name", "The object's name.", example_object(item)["metadata"]["name"])
    if item.name == "Cluster":  # There is only this one.
        name["schema"] = {"type": "string", "enum": ["default"]}
    shared = [NAMESPACE] if item.kind.namespaced else []
    out = {f"{base}/{plural}": {**({"parameters": shared} if shared else {}),
                                **collection(item, title, plural)}}
    out[f"{base}/{plural}/{{name}}"] = {"parameters": shared + [name], **single(item, plural)}
    if item.field("status") is not None:
        out[f"{base}/{plural}/{{name}}/status"] = {"parameters": shared + [name],
                                                   **status(item, plural)}
    if item.kind.namespaced:
        all_of = collection(item, title + "OfAllNamespaces", plural)["get"]
        out[f"/apis/swarm/v1/{plural}"] = {"get": all_of}
    return out


PRIORITY = parameter("priority", "query", "How urgent it is; without it the Agent's own.",
                     {"type": "string", "enum": ["low", "normal", "high", "urgent"]})
REQUEST_ID = parameter("requestId", "query", "A name for this request, chosen by the client: a "
                       "repeat with the same one gets the first result and is not handled again.",
                       {"type": "string", "pattern": TEXT, "minLength": 1, "maxLength": 128},
                       example="order-1001")
RAW = {"required": False,
       "description": "The body of the message, any bytes; its Content-Type goes with it.",
       "content": {"text/plain": {"schema": {"type": "string", "maxLength": 262144},
                                  "example": "hello"},
                   "application/octet-stream": {"schema": {"type": "string",
                                                           "contentMediaType":
                                                           "application/octet-stream"}}}}


def key_parameter(description):
    return parameter("key", "query", description,
                     {"type": "string", "pattern": TEXT, "minLength": 1, "maxLength": 253},
                     example="customer:alice")


def send_path(agent):
    reply = {"200": {"description": "The reply of the instance with its content type, or nothing "
                     "when no reply was wanted.",
                     "headers": {"swarm-from": {
                         "description": "The instance that took the message.",
                         "schema": {"type": "string"}}},
                     "content": {"*/*": {"schema": {"type": "string"}}}}}
    parameters = [
        key_parameter("The instance's key; without it, any instance of a replicated Agent."),
        PRIORITY,
        parameter("timeout", "query", "How long to wait for the reply, or for the message to be "
                  "taken.", {"type": "string",
                             "pattern": openapi_ranges.duration(10 ** 6, 3600 * 10 ** 9),
                             "default": "30s"}),
        REQUEST_ID,
        parameter("reply", "query", "Wait for the instance's reply.",
                  {"type": "boolean", "default": False})]
    return {"parameters": [NAMESPACE, agent], "post": operation(
        "sendMessage", "messages", "Send a message to an instance",
        "Send one message; with reply=true the answer is the instance's reply. A negative status "
        "of the instance comes as a problem with that code.",
        {**reply, **errors(WRITE + ("504",))}, parameters=parameters, requestBody=RAW)}


def logs_path(agent):
    parameters = [
        key_parameter("Only lines of this instance."),
        parameter("tail", "query", "At most this many of the lines that are kept.",
                  {"type": "integer", "minimum": 0, "maximum": 10000, "default": 100}),
        parameter("follow", "query", "1: go on with new lines.",
                  {"type": "string", "enum": ["0", "1", "true", "false"], "default": "0"})]
    lines = {"description": "The lines: the data of each event is JSON with time, instance, level "
             "and text.", "content": {"text/event-stream": {"schema": EVENT}}}
    return {"parameters": [NAMESPACE, agent], "get": operation(
        "readLogs", "messages", "Read or follow the log of an Agent",
        "Read the last lines that an Agent's instances logged, and follow new ones.",
        {"200": lines, **errors(READ)}, parameters=parameters)}


STATES = "Idle|Running|Waiting|Asleep|Parked|Failing|Held|Awake"


def instances_path(agent):
    parameters = [
        parameter("limit", "query", "The most instances in a page; 0 means 500.",
                  {"type": "integer", "minimum": 0, "maximum": 1000, "default": 500}),
        parameter("continue", "query", "`continue` of the page before.",
                  {"type": "string", "pattern": "^([0-9a-f]{10})?$"}),
        parameter("prefix", "query", "Only those whose keys begin so.",
                  {"type": "string", "pattern": TEXT, "maxLength": 255}),
        parameter("state", "query", "Only those in these states, with commas in between: Idle, "
                  "Running, Waiting, Asleep, Parked, Failing, Held, or Awake for all but Asleep.",
                  {"type": "string", "pattern": "^((%s)(,(%s))*)?$" % ((STATES,) * 2)}),
        parameter("count", "query", "true: count them instead, by state.",
                  {"type": "string", "enum": ["0", "1", "true", "false"], "default": "0"})]
    return {"parameters": [NAMESPACE, agent], "get": operation(
        "listInstances", "messages", "List the instances of an Agent",
        "Read a page of the instances of an Agent that exist now. Each is in one page, also while "
        "others come and go, fall asleep or wake. A page can have fewer than the limit, or none, "
        "and more behind it: a host looks at so many for a page, and no more.",
        answer("The instances.", "InstanceList", READ + ("504",)), parameters=parameters)}


def dead_letters_path(agent):
    key = key_parameter("Only those of this instance.")
    letter = parameter("id", "query", "The id of one, or \"all\".",
                       {"type": "string", "pattern": "^(all|[1-9][0-9]{0,19})$"}, True, "all")
    pages = [
        key,
        parameter("limit", "query", "The most dead letters in a page; 0 means 500.",
                  {"type": "integer", "minimum": 0, "maximum": 1000, "default": 500}),
        parameter("continue", "query", "`continue` of the page before.",
                  {"type": "string", "pattern": "^([0-9]{1,19})?$"}),
        parameter("body", "query", "1: with their bodies.",
                  {"type": "string", "enum": ["0", "1", "true", "false"], "default": "0"})]
    return {"parameters": [NAMESPACE, agent], "get": operation(
        "listDeadLetters", "messages", "List the dead letters of an Agent",
        "Read a page of the messages that the Agent could not handle, oldest first.",
        answer("The dead letters.", "DeadLetterList", READ + ("504",)), parameters=pages),
        "post": operation(
            "redeliverDeadLetters", "messages", "Deliver dead letters again",
            "Send one dead letter, or all, to their instances again, as new messages that nobody "
            "waits for.",
            answer("How many.", "DeadLetterCount", READ + ("504",)), parameters=[key, letter]),
        "delete": operation(
            "dropDeadLetters", "messages", "Drop dead letters", "Forget one dead letter, or all.",
            answer("How many.", "DeadLetterCount", READ + ("504",)), parameters=[key, letter])}


TURN = {"type": "integer", "minimum": 0, "maximum": 18446744073709551615}
DIGEST = {"type": "string", "pattern": FORMATS["DIGEST"][0]}
PAST = ("409", "410", "412", "500", "501", "504")


def history_path(agent):
    key = parameter("key", "query", "Of this instance.",
                    {"type": "string", "pattern": TEXT, "minLength": 1, "maxLength": 253}, True,
                    "customer:alice")
    body = parameter("body", "query", "So many bytes of each body are told.",
                     {"type": "integer", "minimum": 0, "maximum": 524288, "default": 0})
    module = parameter("module", "query", "The digest of a module to run instead of the one that "
                       "ran.", DIGEST)
    boolean = {"type": "string", "enum": ["0", "1", "true", "false"], "default": "0"}
    looks = [
        key, body, module,
        parameter("view", "query", "turns: as they are recorded; state: what it was after the "
                  "turn `to`, or the last one; replay: run again and compared; transcript: what "
                  "turns said to models and what those answered.",
                  {"type": "string", "enum": ["turns", "state", "replay", "transcript"],
                   "default": "turns"}),
        parameter("from", "query", "The first turn; 0: of all that are kept.", TURN),
        parameter("to", "query", "The last turn; 0: of all there are.", TURN),
        parameter("limit", "query", "The most turns in an answer; 0 means 100.",
                  {"type": "integer", "minimum": 0, "maximum": 1000, "default": 100}),
        parameter("newest", "query", "1: if there are more, the last ones of them.", boolean)]
    tries = [
        key, body, module,
        parameter("turn", "query", "Its number.", {**TURN, "minimum": 2}, True, 2),
        parameter("input", "query", "1: the body of this request is the message instead of the "
                  "recorded one.", boolean)]
    return {"parameters": [NAMESPACE, agent], "get": operation(
        "readHistory", "messages", "Read what an instance did",
        "Read turns of an instance with their causes and effects, what it was after one of them, "
        "or whether they come to the same again. The instance goes on beside it.",
        answer("What was.", "History", READ + PAST), parameters=looks),
        "post": operation(
            "tryTurn", "messages", "Handle a turn again with something changed",
            "Make an instance as it was before a turn, have that handled with another message or "
            "module, and read what it asks for. Nothing of that leaves, and the instance never "
            "hears of it.",
            answer("What it would have done.", "History", WRITE + PAST[1:]),
            parameters=tries, requestBody=RAW)}


def held_path(agent):
    text = {"type": "string", "pattern": TEXT, "minLength": 1, "maxLength": 253}
    key = parameter("key", "query", "The fork.", text, True, "customer:alice-2")
    boolean = {"type": "string", "enum": ["0", "1", "true", "false"], "default": "0"}
    makes = [
        parameter("key", "query", "Of this instance.", text, True, "customer:alice"),
        parameter("turn", "query", "As it was before this turn; one more than the last: as it is.",
                  {**TURN, "minimum": 2}, True, 2),
        parameter("as", "query", "The key of the fork.", text, True, "customer:alice-2"),
        parameter("module", "query", "The digest of a module that it goes on with.", DIGEST),
        parameter("input", "query", "1: the body of this request is its message instead of the "
                  "recorded one.", boolean),
        parameter("body", "query", "So many bytes of the recorded message are told.",
                  {"type": "integer", "minimum": 0, "maximum": 524288, "default": 0})]
    codes = READ + ("411", "412", "413", "415", "501", "504")
    return {"parameters": [NAMESPACE, agent],
            "post": operation(
                "makeFork", "messages", "Have a past of an instance go on as another one",
                "Make an instance that begins with what another one was before a turn, and gets "
                "the message of that turn or another one. What it lets out is held until it is "
                "released; who asks it is answered.",
                answer("It is there.", "History", WRITE + PAST),
                parameters=makes, requestBody=RAW),
            "put": operation(
                "releaseFork", "messages", "Release a fork",
                "Let what an instance holds go, once each and in order. From then on it is an "
                "instance as any other.",
                answer("It is released.", "Held", codes), parameters=[key]),
            "delete": operation(
                "dropFork", "messages", "Drop a fork", "End an instance that is held, with all "
                "that it holds.",
                answer("It is gone.", "Held", codes), parameters=[key])}


def message_paths():
    base = "/apis/swarm/v1/namespaces/{namespace}"
    agent = label_parameter("name", "The Agent's name.", "agent-1")
    subject = parameter("subject", "query", "The subject.",
                        {"type": "string", "pattern": FORMATS["SUBJECT"][0], "maxLength": 255},
                        True, "orders.new")
    publish = operation(
        "publishMessage", "messages", "Publish a message",
        "Send one message to every instance that subscribed to the subject.",
        answer("That the message was taken.", "PublishResult", WRITE + ("504",)),
        parameters=[subject, PRIORITY, REQUEST_ID], requestBody=RAW)
    usage = operation(
        "listUsage", "messages", "Read what the Agents of a namespace used",
        "Read what each Agent used since it began, as its host told within the last second. These "
        "are sums, so they cost the same for one instance and for a million.",
        answer("What they used.", "UsageList", READ + ("501",)))
    return {base + "/usage": {"parameters": [NAMESPACE], "get": usage},
            base + "/agents/{name}/send": send_path(agent),
            base + "/agents/{name}/logs": logs_path(agent),
            base + "/agents/{name}/instances": instances_path(agent),
            base + "/agents/{name}/deadletters": dead_letters_path(agent),
            base + "/agents/{name}/history": history_path(agent),
            base + "/agents/{name}/held": held_path(agent),
            base + "/publish": {"parameters": [NAMESPACE], "post": publish}}


def module_paths():
    digest = parameter("digest", "path", "The digest of the module's bytes.",
                       {"type": "string", "pattern": FORMATS["DIGEST"][0]}, True,
                       FORMATS["DIGEST"][1])
    wasm = {"required": True, "description": "The module.", "content": {
        "application/wasm": {"schema": {"type": "string", "contentMediaType": "application/wasm"}}}}
    new = {"201": {"description": "It is there now.",
                   "content": {"application/json": {"schema": ref("ModuleInfo")}}}}
    return {"/apis/swarm/v1/namespaces/{namespace}/modules/{digest}": {
        "parameters": [NAMESPACE, digest],
        "get": operation("getModule", "modules", "Read what is known of a module",
                         "Read what is known of a module that was pushed.",
                         answer("It is there.", "ModuleInfo", READ)),
        "head": operation("hasModule", "modules", "Ask whether a module is there",
                          "Ask whether a module is there, so that it need not be sent again.",
                          {"200": {"description": "It is there."},
                           **{code: {"description": ERRORS[code]} for code in READ}}),
        "put": operation("pushModule", "modules", "Push a module",
                         "Push a WebAssembly module. It is refused when its bytes do not have the "
                         "digest, when it is not WebAssembly, lacks exports or imports what is not "
                         "there.",
                         {**answer("It was there already.", "ModuleInfo", WRITE + ("504",)), **new},
                         requestBody=wasm)}}


def plain(identifier, summary, description, media, codes, open_to_all):
    others = {"security": []} if open_to_all else {}
    kind = "object" if media == "application/yaml" else "string"
    return {"get": operation(identifier, "system", summary, description, {
        "200": {"description": "Yes.", "content": {media: {"schema": {"type": kind}}}},
        **errors(codes)}, **others)}


def backup(denied):
    return {"get": operation(
        "getBackup", "system", "Save the whole swarm at one point",
        "The store and what all agent hosts keep, as of one point, as a tar archive whose last "
        "file is its manifest; what came without that is none. `swarmctl backup` fetches and "
        "checks it. One is made at a time. Only who may operate the system may ask for it.", {
            "200": {"description": "The archive.",
                    "headers": {"swarm-size": {"description": "Its size in bytes.",
                                               "schema": {"type": "string",
                                                          "pattern": UINT64}}},
                    "content": {"application/x-tar": {"schema": {"type": "string",
                                                                 "format": "binary"}}}},
            **errors(("400", "429", "500", "503") + denied)})}


def key_lists():
    """The members that both answers about keys have."""
    number = {"type": "string", "pattern": UINT64}
    key = {"type": "object", "required": ["id", "made", "values"], "properties": {
        "id": {"type": "string"}, "made": {"type": "string", "format": "date-time"},
        "values": {**number, "description": "How many values are sealed with it."}}}
    return {"keys": {"type": "array", "items": key, "description": "The newest first."},
            "secrets": {**number, "description": "How many Secrets there are."},
            "lost": {**number, "description": "Values whose key is not there."}}


def keys(denied):
    listed = key_lists()
    rotated = {**listed, "resealed": {"type": "string", "pattern": UINT64,
                                      "description": "Secrets that were written again."},
               "dropped": {"type": "array", "items": {"type": "string"},
                           "description": "Keys that are no more."}}

    def answered(members):
        return {"200": {"description": "So it is now.", "content": {"application/json": {"schema": {
            "type": "object", "required": list(members), "properties": members}}}}}

    flags = [{"name": name, "in": "query", "description": words, "schema": {"type": "boolean"}}
             for name, words in (("resume", "Make no new key, and do what is left to do."),
                                 ("keepUnused", "Keep keys that nothing is sealed with."))]
    return {"get": operation(
        "getKeys", "system", "See with which keys Secrets are sealed",
        "Their names, and no keys. Only who may operate the system may ask for it.",
        {**answered(listed), **errors(("400", "500", "503") + denied)}),
            "post": operation(
        "rotateKeys", "system", "Seal all Secrets with a new key",
        "Makes a key, seals all values with it, and drops keys that nothing is sealed with any "
        "more; `swarmctl secrets rotate` asks for it. One goes on at a time. Events tell who asked "
        "for it.", {**answered(rotated), **errors(("400", "412", "429", "500", "503") + denied)},
        parameters=flags)}


def system_paths():
    denied = ("401", "403")
    return {
        "/healthz": plain("getHealth", "Ask whether the daemon lives",
                          "Answers as soon as the daemon serves at all.", "text/plain",
                          ("400",), True),
        "/readyz": plain("getReadiness", "Ask whether the daemon is ready",
                         "Answers 200 when the store is open and the Node runs Pods.",
                         "text/plain", ("400", "503"), True),
        "/metrics": plain("getMetrics", "Read the figures",
                          "All figures in Prometheus' text format.", "text/plain",
                          ("400",) + denied, False),
        "/backup": backup(denied),
        "/keys": keys(denied),
        "/openapi": plain("getOpenapi", "Read this document", "This document.",
                          "application/yaml", ("400",) + denied, False)}


def tags(model):
    out = [{"name": item.kind.plural, "description": item.help} for item in model.kinds]
    out.append({"name": "messages", "description": "Talk to Agents."})
    out.append({"name": "modules", "description": "The programs of Agents."})
    out.append({"name": "system", "description": "The daemon itself."})
    return out


def paths(model):
    out = {}
    for item in model.kinds:
        out.update(kind_paths(item))
    out.update(message_paths())
    out.update(module_paths())
    out.update(system_paths())
    return dict(sorted(out.items()))
