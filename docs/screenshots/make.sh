#!/bin/sh
# Takes the three screenshots of the README anew: a topic page, the status page, a terminal.
# Needs chromium, tmux, aha, python3 and a Chinese font; FEEDMILL names the program.
set -eu
cd "$(dirname "$0")/../.."
here=$PWD/docs/screenshots
feedmill=$(realpath "${FEEDMILL:-target/debug/feedmill}")
work=$(mktemp -d)
started=
trap 'kill $started 2>/dev/null; tmux -L shots kill-server 2>/dev/null; rm -rf "$work"' EXIT

# The demo's feeds, and beside them servers that are in trouble, so that there is something to see.
cat > "$work/troubled.py" <<'PY'
import http.server
class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status = {"/gone": 410, "/busy": 503}.get(self.path, 404)
        self.send_response(status)
        if status == 503:
            self.send_header("Retry-After", "7200")
        self.end_headers()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", 18471), Answers).serve_forever()
PY
python3 "$work/troubled.py" &
started="$!"
mkdir -p "$work/data" && cp -r data/samples "$work/data/"
sed -e 's|^site:|fetch: { allow: ["127.0.0.1:18471"], host_delay: 0s }\nsite:|' -e 's|title: feedmill demo|title: Riverside news|' \
    -e 's|listen: 127.0.0.1:8080|listen: 127.0.0.1:18472|' -e 's|@every 1m|@hourly|' config/demo.yaml > "$work/feedmill.yaml"
awk '/^feeds:/ { print; print "  - { id: ferry, name: Ferry Gazette, url: \"http://127.0.0.1:18471/gone\" }";
                 print "  - { id: mill, name: Mill Weekly, url: \"http://127.0.0.1:18471/busy\" }"; next } { print }' \
    "$work/feedmill.yaml" > "$work/config.yaml"

shot() { # file, size, address
    chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --no-first-run --disable-background-networking \
        --user-data-dir="$work/browser" --window-size="$2" --screenshot="$here/$1" "$3" >/dev/null 2>&1
}

# The terminal first: what it shows is a first poll.
tmux -L shots -f /dev/null new-session -d -x 128 -y 36 "PS1='$ ' exec sh -i"
say() { tmux -L shots send-keys "$1" Enter; sleep "$2"; }
say "cd '$work'; feedmill() { '$feedmill' --config config.yaml \"\$@\"; }; clear" 1
say "feedmill poll" 5
say "feedmill status" 2
say "feedmill explain https://jiangwan.example/news/2025/0302-streetlight.html?utm_source=rss" 2
tmux -L shots capture-pane -e -p | sed 's/[[:space:]]*$//' | sed '/./,$!d' > "$work/screen"
aha --no-header < "$work/screen" > "$work/screen.inner"
{
    printf '<!doctype html><meta charset="utf-8"><body style="margin:0;background:#16191d;color:#d9dde2">'
    printf '<pre style="margin:18px 20px;font:15px/1.45 Noto Sans Mono CJK SC,monospace">'
    cat "$work/screen.inner"
    printf '</pre>'
} > "$work/screen.html"
shot terminal.png 1000,680 "file://$work/screen.html"

"$feedmill" -C "$work" --config config.yaml -q daemon &
started="$started $!"
sleep 3
shot topic.png 1000,760 http://127.0.0.1:18472/tencent/
shot status.png 1000,700 http://127.0.0.1:18472/status
ls -l "$here"/*.png
