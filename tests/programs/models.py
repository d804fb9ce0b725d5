#!/usr/bin/env python3
"""examples/models.sh against a server on the loopback: fresh, resumed and refused downloads."""

import http.server
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import threading

(SCRIPT,) = sys.argv[1:]


def probe():
    """A checkpoint of the size of a probe, in the shape that matters here: a header, then numbers."""
    rows = 12000
    header = {"classifier.linear.weight": {"dtype": "F32", "shape": [rows, 1024], "data_offsets": [0, rows * 4096]}}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(range(256)) * (rows * 16)


class Server(http.server.ThreadingHTTPServer):
    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {}
        self.cut_after = None  # bytes of the next body, then the connection is closed
        self.requests = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def address(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body):
        content = self.server.files.get(self.path)
        given = self.headers.get("Range")
        self.server.requests.append((self.command, given))
        if content is None:
            self.send_error(404)
            return
        begin = int(given.removeprefix("bytes=").removesuffix("-")) if given else 0
        self.send_response(206 if given else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        if given:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if not body:
            return
        cut, self.server.cut_after = self.server.cut_after, None
        self.wfile.write(content[begin:begin + cut] if cut else content[begin:])
        if cut:
            self.close_connection = True


def main():
    if shutil.which("curl") is None:
        print("SKIPPED: no curl")
        return
    server = Server()
    environment = {**os.environ, "VJEPA_MODELS_URL": server.address(), "no_proxy": "127.0.0.1"}

    def run(*arguments):
        return subprocess.run([SCRIPT, *map(str, arguments)], env=environment, capture_output=True, text=True,
                              timeout=120)

    content = probe()
    server.files["/vitl16/k400-probe.pth.tar"] = content
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)

        def refused(result, *parts):
            assert result.returncode == 1, (result.returncode, result.stdout, result.stderr)
            for part in parts:
                assert part in result.stderr, (part, result.stderr)

        # Fresh, into a folder that is made; a second call has nothing to fetch.
        result = run("vitl16-k400", root / "fresh")
        file = root / "fresh/vitl16-k400.pth.tar"
        assert result.returncode == 0, result.stderr
        assert file.read_bytes() == content
        assert [p.name for p in file.parent.iterdir()] == [file.name]
        asked = len(server.requests)
        assert run("vitl16-k400", root / "fresh").returncode == 0
        assert len(server.requests) == asked, server.requests[asked:]

        # Cut off, then resumed where it stopped.
        server.cut_after = 20_000_000
        refused(run("vitl16-k400", root / "cut"), "goes on with it")
        part = root / "cut/vitl16-k400.pth.tar.part"
        held = part.stat().st_size
        assert 0 < held <= 20_000_000, held
        result = run("vitl16-k400", root / "cut")
        assert result.returncode == 0, result.stderr
        assert server.requests[-1] == ("GET", f"bytes={held}-"), server.requests[-1]
        assert (root / "cut/vitl16-k400.pth.tar").read_bytes() == content
        assert not part.exists()

        # Another file under the name, or none.
        server.files["/vitl16/ssv2-probe.pth.tar"] = content[:1000]
        refused(run("vitl16-ssv2", root / "wrong"), "has 1000 bytes", "takes 46 MB")
        refused(run("vith16", root / "wrong"), "vith16/vith16.pth.tar", "not there")
        assert list((root / "wrong").iterdir()) == []

        refused(run("vitb16", root), "there is no 'vitb16'", "vitl16-k400", f"{server.address()}/vith16/vith16.pth.tar")
        listed = run("--list").stdout.split("\n")
        assert len(listed) == 19 and listed[0].split() == ["vitl16", f"{server.address()}/vitl16/vitl16.pth.tar"]
        assert run("--help").returncode == 0
        assert run().returncode == 2


if __name__ == "__main__":
    main()
