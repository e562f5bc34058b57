"""A client of store.py, for sunder: it reads a call a line, and writes an answer a line.

Which errors prove that nothing was done is what such a program has to know, and nobody else can: a connection that was
refused does, one that broke does not.
"""

import http.client
import json
import sys
import urllib.parse

connection = http.client.HTTPConnection(sys.argv[1])


def answer(call):
    method, body = ("GET", None) if call["op"] == "read" else ("PUT", json.dumps({"value": call["value"]}))
    connection.timeout = call["timeout_ms"] / 1000
    try:
        if connection.sock is None:
            connection.connect()
    except OSError as refused:
        return {"type": "fail", "error": str(refused)}
    try:
        connection.sock.settimeout(call["timeout_ms"] / 1000)
        connection.request(method, "/" + urllib.parse.quote(call["key"], safe=""), body)
        response = connection.getresponse()
        content = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as broken:
        connection.close()  # the next call connects anew
        return {"type": "info", "error": repr(broken)}
    if response.status in (200, 404):
        return {"type": "ok", "value": content.get("value")}
    return {"type": "fail" if response.status == 503 else "info", "error": f"status {response.status}"}


print(json.dumps({"type": "ready"}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps({"id": asked["id"], **answer(asked)}), flush=True)
