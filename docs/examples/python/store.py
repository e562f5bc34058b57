"""A replicated key-value store without a leader: the register of Attiya, Bar-Noy and Dolev (1995), for many writers.

A value has a timestamp. A write asks a majority for the highest timestamp, and stores its value with a higher one at a
majority. A read asks a majority, takes what has the highest timestamp, and stores that at a majority before it answers:
or a later read could see less. Nothing beside Python's standard library is needed.
"""

import argparse
import concurrent.futures
import http.client
import http.server
import json
import os
import threading
import time

args = argparse.ArgumentParser()
args.add_argument("--number", type=int, required=True, help="which member this is, from 1")
args.add_argument("--members", required=True, help="where all members listen for each other, separated by commas")
args.add_argument("--client", required=True, help="where to listen for clients")
args.add_argument("--data", required=True, help="data directory")
args.add_argument("--reads", choices=["majority", "local"], default="majority", help="local is a mistake")
args = args.parse_args()

MEMBERS = [m for m in args.members.split(",") if m]
MAJORITY = len(MEMBERS) // 2 + 1
RPC_TIMEOUT = 0.3  # seconds
NOTHING = ([0, 0, 0], None)


class Replica:
    """What this member stores: for each key a timestamp and a value, in a file that is synced before it answers."""

    def __init__(self, directory):
        os.makedirs(directory, exist_ok=True)
        self.lock = threading.Lock()
        self.stored = {}
        path = os.path.join(directory, "log")
        whole = 0  # bytes of lines that were written to their end
        if os.path.exists(path):
            with open(path, "rb") as log:
                for line in log:
                    if not line.endswith(b"\n"):
                        break
                    try:
                        key, stamp, value = json.loads(line)
                    except ValueError:
                        break  # torn by a crash, so that nobody was told that it is stored
                    self.stored[key] = (stamp, value)
                    whole += len(line)
        self.log = open(path, "ab")
        self.log.truncate(whole)

    def get(self, key):
        with self.lock:
            return self.stored.get(key, NOTHING)

    def put(self, key, stamp, value):
        with self.lock:
            if stamp > self.stored.get(key, NOTHING)[0]:
                self.log.write((json.dumps([key, stamp, value]) + "\n").encode())
                self.log.flush()
                os.fsync(self.log.fileno())
                self.stored[key] = (stamp, value)


replica = Replica(args.data)
pool = concurrent.futures.ThreadPoolExecutor(max_workers=64)


def call(member, request):
    """Asks one member, this one included, to get or to put."""
    if member == MEMBERS[args.number - 1]:
        return serve(request)
    connection = http.client.HTTPConnection(member, timeout=RPC_TIMEOUT)
    try:
        connection.request("POST", "/", json.dumps(request))
        response = connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise OSError(f"{member} answers {response.status}")
        return json.loads(answer)
    finally:
        connection.close()


def serve(request):
    if len(request) == 1:
        return replica.get(*request)
    replica.put(*request)
    return None


def majority(request):
    """Asks all members, and returns the answers of the first majority, or None if there is none."""
    asked = [pool.submit(call, member, request) for member in MEMBERS]
    answers = []
    try:
        for done in concurrent.futures.as_completed(asked, timeout=2 * RPC_TIMEOUT):
            if done.exception() is None:
                answers.append(done.result())
            if len(answers) == MAJORITY:
                return answers
    except concurrent.futures.TimeoutError:
        pass
    return None


def read(key):
    if args.reads == "local":
        return 200, replica.get(key)[1]
    answers = majority([key])
    if answers is None:
        return 503, None
    stamp, value = max(answers, key=lambda answer: answer[0])
    if value is not None and majority([key, stamp, value]) is None:
        return 503, None
    return 200, value


def write(key, value):
    answers = majority([key])
    if answers is None:
        return 503, None  # nothing was stored anywhere
    highest = max(stamp for stamp, _ in answers)
    stamp = [highest[0] + 1, args.number, time.time_ns()]  # of two writes of this member, too, one is higher
    if majority([key, stamp, value]) is None:
        return 504, None  # a minority may have it
    return 200, None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def body(self):
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def answer(self, code, content):
        text = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class Clients(Handler):
    def do_GET(self):
        code, value = read(self.path)
        if code == 200 and value is None:
            code = 404
        self.answer(code, {"value": value})

    def do_PUT(self):
        code, _ = write(self.path, self.body()["value"])
        self.answer(code, {})


class Members(Handler):
    def do_POST(self):
        self.answer(200, serve(self.body()))


def listen(address, handler):
    host, port = address.rsplit(":", 1)
    server = http.server.ThreadingHTTPServer((host, int(port)), handler)
    server.daemon_threads = True
    return server


members, clients = listen(MEMBERS[args.number - 1], Members), listen(args.client, Clients)
threading.Thread(target=members.serve_forever, daemon=True).start()
print("serving clients at", args.client, flush=True)
clients.serve_forever()
