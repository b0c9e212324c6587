#!/usr/bin/env python3
"""What execenv says to Codex' app-server and reads from it, held against the schema that the program itself prints.

  codex_schema.py EXECENV CODEX ENV FOLDER   checks; FOLDER is for its files, ENV an environment of Codex
  codex_schema.py serve RECORD               plays the server: asks everything that the schema lets a server ask
"""
import json, os, re, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.join(HERE, "../../src/protocol/app_server")
# What execenv refuses, because it has not offered it.
REFUSED = {"item/tool/call", "account/chatgptAuthTokens/refresh", "attestation/generate"}
# What the others are answered.
RESPONSES = {
    "item/commandExecution/requestApproval": "CommandExecutionRequestApprovalResponse",
    "item/fileChange/requestApproval": "FileChangeRequestApprovalResponse",
    "item/tool/requestUserInput": "ToolRequestUserInputResponse",
    "mcpServer/elicitation/request": "McpServerElicitationRequestResponse",
    "item/permissions/requestApproval": "PermissionsRequestApprovalResponse",
    "applyPatchApproval": "ApplyPatchApprovalResponse",
    "execCommandApproval": "ExecCommandApprovalResponse",
}
PARAMS = {
    "item/tool/requestUserInput": {"questions": [{"id": "q", "header": "h", "question": "?"}]},
    "mcpServer/elicitation/request": {"serverName": "s", "mode": "form", "message": "?", "requestedSchema": {"type": "object", "properties": {}}},
    "item/permissions/requestApproval": {"permissions": {"network": {"enabled": True}}},
}


def serve(record):
    if sys.argv[-1] == "--version":
        print("codex-cli 0.171.0")
        return
    written, asked = open(record, "w"), json.load(open(record + ".asks"))
    waiting = {}

    def say(**message):
        print(json.dumps(message), flush=True)
    for line in sys.stdin:
        message = json.loads(line)
        if "method" not in message:
            message["answers"] = waiting.pop(message["id"])
        written.write(json.dumps(message) + "\n")
        written.flush()
        method = message.get("method")
        if method == "initialize":
            say(id=message["id"], result={})
        elif method in ("thread/start", "thread/resume"):
            say(id=message["id"], result={"thread": {"id": "t"}})
        elif method == "turn/start":
            say(id=message["id"], result={"turn": {"id": "u"}})
            for at, ask in enumerate(asked):
                waiting["r%d" % at] = ask
                say(id="r%d" % at, method=ask, params={"threadId": "t", "turnId": "u", **PARAMS.get(ask, {})})
        elif method is None and not waiting:
            say(method="turn/completed", params={"threadId": "t", "turn": {"id": "u", "status": "completed"}})


def follow(schema, root):
    while isinstance(schema, dict) and "$ref" in schema:
        found = root
        for part in schema["$ref"].lstrip("#/").split("/"):
            found = found[part]
        schema = found
    return schema


def faults(value, schema, root, at="$"):
    """Why a value is not of a schema, and which of its fields the schema does not know."""
    schema = follow(schema, root)
    if schema is True or schema == {}:
        return []
    for word in ("anyOf", "oneOf"):
        if word in schema:
            tries = [faults(value, {**one, **({"properties": {**schema["properties"], **one.get("properties", {})}} if "properties" in schema else {})}
                            if isinstance(one, dict) and "$ref" not in one else one, root, at) for one in schema[word]]
            return min(tries, key=len)
    if "allOf" in schema:
        return [fault for one in schema["allOf"] for fault in faults(value, one, root, at)]
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    is_of = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float), "null": type(None)}
    if kinds and not any(isinstance(value, is_of[kind]) for kind in kinds):
        return ["%s is no %s" % (at, "/".join(kinds))]
    if "enum" in schema and value not in schema["enum"]:
        return ["%s: %r is none of %r" % (at, value, schema["enum"])]
    found = []
    if isinstance(value, dict) and ("properties" in schema or "additionalProperties" in schema):
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        found += ["%s has no %s" % (at, name) for name in schema.get("required", []) if name not in value]
        for name, inner in value.items():
            if name in known:
                found += faults(inner, known[name], root, "%s.%s" % (at, name))
            elif isinstance(others, dict):
                found += faults(inner, others, root, "%s.%s" % (at, name))
            else:
                found.append("%s.%s is not known" % (at, name))
    if isinstance(value, list) and "items" in schema:
        for number, inner in enumerate(value):
            found += faults(inner, schema["items"], root, "%s[%d]" % (at, number))
    return found


def main(execenv, codex, env, folder):
    schemas = os.path.join(folder, "schema")
    subprocess.run([codex, "app-server", "generate-json-schema", "--experimental", "--out", schemas], check=True,
                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    load = lambda name: json.load(open(os.path.join(schemas, name + ".json")))
    words = lambda schema: [one["properties"]["method"]["enum"][0] for one in schema["oneOf"]]
    source = lambda *path: open(os.path.join(SOURCES, *path)).read()
    found = []

    # Everything that a server may ask has an answer of its form, whatever the rule.
    requests = words(load("ServerRequest"))
    found += ["the server may ask %s, which execenv does not know" % method for method in requests
              if method not in RESPONSES and method not in REFUSED]
    record, agent = os.path.join(folder, "frames"), os.path.join(folder, "agent")
    json.dump(requests, open(record + ".asks", "w"))
    with open(agent, "w") as file:
        file.write("#!/bin/sh\nexec python3 '%s' serve '%s' \"$@\"\n" % (os.path.abspath(__file__), record))
    os.chmod(agent, 0o700)
    client, frames = load("ClientRequest"), []
    for rule in ("allow", "deny"):
        told = subprocess.run([execenv, "run", env, "--agent-bin", agent, "--prompt", "go", "--model", "m", "--permission", rule,
                               "--timeout", "60s", "-o", "json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        result = json.loads(told.stdout.splitlines()[-1])
        found += [] if result["status"] == "completed" else ["the run: %s" % json.dumps(result)]
        frames += [json.loads(line) for line in open(record)]
    for frame in frames:
        if "answers" in frame:
            method = frame["answers"]
            if method in REFUSED:
                found += [] if frame.get("error", {}).get("code") == -32601 else ["%s was not refused" % method]
            else:
                schema = load(RESPONSES[method])
                found += ["%s: %s" % (method, fault) for fault in faults(frame.get("result"), schema, schema)]
        elif "id" in frame:
            of = [one for one in client["oneOf"] if one["properties"]["method"]["enum"] == [frame["method"]]]
            found += ["%s is not known" % frame["method"]] if not of else \
                ["%s: %s" % (frame["method"], fault) for fault in faults(frame["params"], of[0]["properties"]["params"], client)]

    # What the server may say is known by name.
    items = load("v2/ItemCompletedNotification")["definitions"]["ThreadItem"]["oneOf"]
    known = source("items.rs")
    found += ["no item %s is known" % kind for kind in (one["properties"]["type"]["enum"][0] for one in items) if '"%s"' % kind not in known]
    told = source("talk", "told.rs")
    families = {method.split("/")[0] for method in words(load("ServerNotification"))}
    found += ["no news of %s are known" % family for family in sorted(families) if '"%s"' % family not in told and '"%s/' % family not in told]
    errors = load("v2/ErrorNotification")["definitions"]["CodexErrorInfo"]["anyOf"]
    reasons = source("failure.rs")
    plain = [word for one in errors for word in one.get("enum", [])]
    found += ["no reason %s is known" % word for word in plain if '"%s"' % word not in reasons and word not in ("other", "threadRollbackFailed")]
    for fault in found:
        print(fault)
    print("%d frames, %d requests, %d items, %d families" % (len(frames), len(requests), len(items), len(families)))
    sys.exit(bool(found))


if sys.argv[1] == "serve":
    serve(sys.argv[2])
else:
    main(*sys.argv[1:])
