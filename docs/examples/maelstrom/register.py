"""A node for Maelstrom's workload lin-kv, without cas: the register of Attiya, Bar-Noy and Dolev (1995).

It reads messages from its standard input and writes them to its standard output, as all programs for Maelstrom do.
"""

import json
import sys

node, nodes, stored, quorums = None, [], {}, {}  # who we are; all nodes; key: [stamp, value]; msg_id: Quorum
sent = 0


def send(dest, body):
    print(json.dumps({"src": node, "dest": dest, "body": body}), flush=True)


class Quorum:
    """Asks all nodes, and calls a function with the answers of the first majority."""

    def __init__(self, body, then):
        global sent
        sent += 1
        self.answers, self.then = {}, then
        quorums[sent] = self
        for peer in nodes:
            send(peer, {**body, "msg_id": sent})

    def answered(self, peer, body):
        self.answers[peer] = body
        if len(self.answers) == len(nodes) // 2 + 1:
            self.then(list(self.answers.values()))


def get(key, then):
    Quorum({"type": "get", "key": key}, lambda answers: then(*max(a["entry"] for a in answers)))


def put(key, entry, then):
    Quorum({"type": "put", "key": key, "entry": entry}, lambda _: then())


def read(reply, key):
    def found(stamp, value):
        if value is None:
            reply({"type": "error", "code": 20, "text": "there is no such key"})
        else:
            put(key, [stamp, value], lambda: reply({"type": "read_ok", "value": value}))

    if "--reads=local" in sys.argv:  # a mistake
        found = lambda stamp, value: reply({"type": "read_ok", "value": value})
        return found(*stored[key]) if key in stored else reply({"type": "error", "code": 20})
    get(key, found)


def write(reply, key, value, call):
    # Of two writes of this node, too, one has the higher stamp.
    get(key, lambda stamp, _: put(key, [[stamp[0] + 1, node, call], value], lambda: reply({"type": "write_ok"})))


for line in sys.stdin:
    message = json.loads(line)
    source, body = message["src"], message["body"]

    def reply(answer, source=source, to=body.get("msg_id")):
        send(source, {**answer, "in_reply_to": to})

    if body["type"] == "init":
        node, nodes = body["node_id"], body["node_ids"]
        reply({"type": "init_ok"})
    elif body["type"] == "read":
        read(reply, body["key"])
    elif body["type"] == "write":
        write(reply, body["key"], body["value"], sent)
    elif body["type"] == "get":
        reply({"type": "get_ok", "entry": stored.get(body["key"], [[0, "", 0], None])})
    elif body["type"] == "put":
        if body["entry"][0] > stored.get(body["key"], [[0, "", 0], None])[0]:
            stored[body["key"]] = body["entry"]
        reply({"type": "put_ok"})
    elif "in_reply_to" in body:
        quorums[body["in_reply_to"]].answered(source, body)
    else:
        reply({"type": "error", "code": 10, "text": "not supported"})
