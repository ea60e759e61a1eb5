#!/usr/bin/env python3
"""A bad connection to an emulator: fault_proxy.py PORT UPSTREAM_PORT MODE_FILE.

MODE_FILE holds "MODE METHOD COUNT": the next COUNT requests of METHOD (or ANY) go wrong as MODE says: 403, 429, 503,
reset (closed without an answer), hole (no answer), flip (a byte of the body changed). Every request is noted behind it.
"""
import http.client
import http.server
import socket
import struct
import sys
import threading
import time

port, upstream, mode_file = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
lock = threading.Lock()
REASONS = {403: "AccessDenied", 429: "SlowDown", 503: "SlowDown"}


def fault_for(method):
    with lock, open(mode_file, "r+", encoding="utf-8") as file:
        mode, wanted, count = file.readline().split()
        if wanted not in (method, "ANY") or int(count) == 0:
            return ""
        file.seek(0)
        file.write(f"{mode} {wanted} {int(count) - 1}\n")
        file.truncate()
        return mode


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, headers, body):
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        declared = dict((n.lower(), v) for n, v in headers).get("content-length", "0")
        self.send_header("Content-Length", declared if self.command == "HEAD" else str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def serve(self):
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = fault_for(self.command)
        if fault == "hole":
            time.sleep(120)
        if fault in ("hole", "reset"):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        if fault.isdigit():
            code = REASONS[int(fault)]
            self.reply(int(fault), [], f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode())
            return
        if fault == "flip":
            # A body in chunks begins with a line that is no content.
            at = body.find(b"\r\n") + 2 if "aws-chunked" in self.headers.get("Content-Encoding", "") else 0
            body = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        link = http.client.HTTPConnection("127.0.0.1", upstream)
        link.request(self.command, self.path, body=body, headers=dict(self.headers))
        answer = link.getresponse()
        self.reply(answer.status, answer.getheaders(), answer.read())

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = serve


http.server.ThreadingHTTPServer(("127.0.0.1", port), Proxy).serve_forever()
