"""What Python's feedparser reads in the corpora, for tests/corpus.rs to compare with.

    oracle.py CORPORA > oracle.jsonl

One JSON object a file: `file` (relative to CORPORA), `bozo`, `version`, `error` (when feedparser itself fails)
and `entries`, each with `title`, `link`, `date` (seconds since 1970) and `text`, which are null when feedparser
has none. Titles and texts are plain: tags removed, entities resolved, white space squeezed.
"""

import calendar
import json
import os
import re
import sys
import time
from html.parser import HTMLParser
from urllib.parse import urljoin

import feedparser

# Some of feedparser's dates go through the local time of the machine.
os.environ["TZ"] = "UTC"
time.tzset()

# Where the documents came from, unless their headers say otherwise; tests/corpus.rs has the same.
BASE = "http://feed.example.org/folder/feed.xml"
FOLDERS = ["feedparser/tests", "real"]
HEADER = re.compile(rb"^Header:\s*([^:\s]+):[ \t]*(.*?)\s*$", re.MULTILINE)
INVISIBLE = {"script", "style"}


class Plain(HTMLParser):
    """Collects the text of HTML."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.parts = []
        self.hidden = 0

    def handle_starttag(self, tag, attrs):
        self.hidden += tag in INVISIBLE
        self.parts.append(" ")

    def handle_endtag(self, tag):
        self.hidden -= tag in INVISIBLE and self.hidden > 0
        self.parts.append(" ")

    def handle_data(self, data):
        if not self.hidden:
            self.parts.append(data)


def plain(detail):
    """The plain text of a feedparser detail: `value` is HTML unless its type says otherwise."""
    if not detail or not detail.get("value"):
        return None
    text = detail["value"]
    if detail.get("type") != "text/plain":
        parser = Plain()
        parser.feed(text)
        parser.close()
        text = "".join(parser.parts)
    return " ".join(text.split()) or None


def headers(body):
    """The `Header:` lines of a test file: what the server would have sent."""
    # Most test files are ASCII or nearly; dropping zero bytes makes UTF-16 and UTF-32 so too.
    head = body[:8192].replace(b"\0", b"")
    found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in HEADER.findall(head)}
    location = urljoin(BASE, found.get("content-location", ""))
    found["content-location"] = location if location.startswith(("http://", "https://")) else BASE
    return found


def entry(raw):
    """An entry in our terms."""
    # A FeedParserDict answers for missing keys with the values of others; a dict does not.
    dates = [dict.get(raw, key) for key in ("published_parsed", "updated_parsed", "created_parsed")]
    date = next((date for date in dates if date), None)
    content = raw.get("content")
    return {
        "title": plain(raw.get("title_detail")),
        "link": raw.get("link") or None,
        "date": calendar.timegm(date) if date else None,
        "text": plain(content[0] if content else raw.get("summary_detail")),
    }


def read(path):
    with open(path, "rb") as file:
        body = file.read()
    try:
        feed = feedparser.parse(body, response_headers=headers(body), resolve_relative_uris=True, sanitize_html=True)
        return {
            "bozo": bool(feed.bozo),
            "version": feed.get("version", ""),
            "entries": [entry(raw) for raw in feed.entries],
        }
    except Exception as error:  # noqa: BLE001: whatever it is, the other files are read
        return {"bozo": True, "version": "", "error": repr(error), "entries": []}


def files(root):
    for folder in FOLDERS:
        for place, folders, names in os.walk(os.path.join(root, folder)):
            folders.sort()
            for name in sorted(names):
                if name.endswith((".xml", ".json")):
                    yield os.path.join(place, name)


def main(root):
    for path in files(root):
        line = {"file": os.path.relpath(path, root).replace(os.sep, "/"), **read(path)}
        print(json.dumps(line, ensure_ascii=True))


if __name__ == "__main__":
    main(sys.argv[1])
