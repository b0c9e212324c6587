#!/usr/bin/env python3
"""A small GitHub on loopback, for publish_gh.sh: the repositories below a folder over HTTPS, and the few calls that
`gh pr list` and `gh pr create` make. forge.py REPOSITORIES CERTIFICATE KEY TOKEN LOG; prints its port."""

import base64
import http.server
import json
import os
import ssl
import subprocess
import sys

repositories, certificate, key, token, log = sys.argv[1:]
pull_requests = []


def basic(name):
    return "Basic " + base64.b64encode(f"{name}:{token}".encode()).decode()


class Forge(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def do_GET(self):
        body = self.body()
        sent = self.headers.get("Authorization", "")
        if self.path == "/api/graphql":
            return self.graphql(body) if sent == f"token {token}" else self.answer(401, [], b'{"message":"Bad credentials"}')
        if sent != basic("ada"):
            return self.answer(401, [("WWW-Authenticate", 'Basic realm="git"')], b"")
        self.git(body)

    do_POST = do_GET

    def graphql(self, body):
        call = json.loads(body)
        query, variables = call["query"], call.get("variables", {})
        answer = {}
        if "createPullRequest" in query:
            wanted = variables["input"]
            number = len(pull_requests) + 1
            # Marshalled as GitHub does: a name of a branch may have an owner in front of it.
            head = wanted["headRefName"].split(":")[-1]
            pull_requests.append({
                "id": f"PR_{number}", "number": number, "url": f"https://{self.headers['Host']}/ada/app/pull/{number}",
                "title": wanted["title"], "body": wanted["body"], "headRefName": head,
                "baseRefName": wanted["baseRefName"], "isCrossRepository": False, "state": "OPEN",
            })
            answer = {"createPullRequest": {"pullRequest": pull_requests[-1]}}
            with open(log, "a") as file:
                print(json.dumps(pull_requests[-1]), file=file)
        elif "pullRequests(" in query:
            head = variables.get("headBranch") or variables.get("headRefName")
            found = [it for it in pull_requests if it["headRefName"] == head]
            page = {"hasNextPage": False, "endCursor": ""}
            answer = {"repository": {"pullRequests": {"totalCount": len(found), "nodes": found, "pageInfo": page}}}
        elif "RepositoryInfo" in query:
            answer = {"repository": {
                "id": "R_1", "name": "app", "owner": {"login": "ada"}, "hasIssuesEnabled": True, "description": "",
                "hasWikiEnabled": False, "viewerPermission": "WRITE", "defaultBranchRef": {"name": "main"}, "parent": None,
                "mergeCommitAllowed": True, "rebaseMergeAllowed": True, "squashMergeAllowed": True,
            }}
        elif "viewer" in query:
            answer = {"viewer": {"login": "ada"}}
        self.answer(200, [("Content-Type", "application/json")], json.dumps({"data": answer}).encode())

    def git(self, body):
        path, _, query = self.path.partition("?")
        variables = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": repositories, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
            "GIT_CONFIG_GLOBAL": "/dev/null", "QUERY_STRING": query, "REQUEST_METHOD": self.command, "REMOTE_USER": "ada",
            "CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "HTTP_GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        said = subprocess.run(["git", "http-backend"], input=body, capture_output=True, env=variables, check=False).stdout
        head, _, body = said.partition(b"\r\n\r\n")
        headers = [line.split(": ", 1) for line in head.decode().splitlines()]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
        self.answer(status, [header for header in headers if header[0] != "Status"], body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Forge)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
