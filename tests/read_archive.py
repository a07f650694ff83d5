#!/usr/bin/env python3
"""read_archive.py ARCHIVE [COUNT FILE]: prints the entries of a feedmill archive as JSON, newest first, and writes the newest
COUNT of them to FILE as Atom. Knows nothing but what ARCHIVE.md says; needs nothing but Python."""
import datetime, json, pathlib, re, sys
from xml.sax.saxutils import escape, quoteattr

def value(text):
    """A value of the front matter: in double quotes with escapes, or plain."""
    text = text.strip()
    if len(text) < 2 or not text[0] == text[-1] == '"':
        return text
    character = lambda m: chr(int(m[1] or m[2], 16)) if m[1] or m[2] else m[3]
    return re.sub(r'\\(?:u([0-9A-F]{4})|U([0-9A-F]{8})|(.))', character, text[1:-1])

def post(path, seen):
    """The front matter, lists left as they stand, with the body and with the date as ours are written."""
    text = path.read_text('utf-8-sig', 'replace')
    front, rest = (re.match(r'---\n(.*?)\n---\n(.*)', text, re.S) or re.match('()(.*)', text, re.S)).groups()
    found = {key: value(rest) for key, colon, rest in (line.partition(':') for line in front.split('\n')) if colon}
    found['body'] = rest.split('\n<div>\n', 1)[-1].removesuffix('\n').removesuffix('</div>').removesuffix('\n')
    for text in (found.get('date', ''), path.name[:10], seen):  # another maker's date may be none
        try:
            date = datetime.datetime.fromisoformat(text.replace('Z', '+00:00'))
            break
        except ValueError:
            continue
    date = (date if date.tzinfo else date.replace(tzinfo=datetime.timezone.utc)).astimezone(datetime.timezone.utc)
    return found | {'date': date.strftime('%Y-%m-%dT%H:%M:%S.') + f'{date.microsecond // 1000:03}Z'}

def entries(root):
    lines, found = [], {}
    for file in (root / '_ledger').glob('????-??.jsonl'):
        for line in file.read_text('utf-8', 'replace').split('\n'):
            try:
                lines.append(json.loads(line))
            except ValueError:
                pass  # a torn last line
    site = json.loads((root / '_ledger/site.json').read_text('utf-8'))
    tag = f"tag:{site['tag_authority']},{site['tag_date']}:entry/"
    forgotten = {line['key'] for line in lines if line['op'] == 'forget'}
    for line in sorted(lines, key=lambda line: (line['seen'], line.get('key', ''))):
        op, key, file = line['op'], line.get('key'), root / line.get('path', '')
        if op in ('add', 'import') and key not in forgotten and file.is_file():
            made = {'key': key, 'feed': line.get('feed'), 'id': line.get('id', tag + key), 'revisions': 0, 'revised': ''}
            made = post(file, line['seen']) | made | {'path': line['path'], 'rank': 0 if op == 'add' else 1}
            order = lambda entry: (entry['rank'], entry['rank'] and (entry['date'], entry['path']))
            found[key] = min(found.get(key, made), made, key=order)  # of equal ones the first
        elif op == 'revise' and key in found:
            found[key].update(revisions=line['rev'], revised=line['seen'])
    read = sorted(found.values(), key=lambda entry: entry['key'])
    return sorted(read, key=lambda entry: entry['date'], reverse=True), tag  # those of one date stay in the order of keys

def atom(found, tag):
    def element(entry):
        updated = max(entry['date'], entry.get('updated', ''), entry['revised'])
        link = f"<link href={quoteattr(entry['from'])}/>" if entry.get('from') else ''
        return (f"<entry><title>{escape(entry.get('title', ''))}</title><id>{escape(entry['id'])}</id>"
                f"<updated>{updated}</updated><published>{entry['date']}</published><author><name>{escape(entry.get('author', ''))}</name></author>{link}"
                f"<content type=\"html\">{escape(entry['body'])}</content></entry>\n")
    newest = max((entry['date'] for entry in found), default='1970-01-01T00:00:00Z')
    return (f'<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom"><title>Archive</title>'
            f"<id>{escape(tag)}all</id><updated>{newest}</updated>\n{''.join(map(element, found))}</feed>\n")

found, tag = entries(pathlib.Path(sys.argv[1]))
if len(sys.argv) > 3:
    pathlib.Path(sys.argv[3]).write_text(atom(found[:int(sys.argv[2])], tag), 'utf-8')
shown = ('key', 'path', 'title', 'date', 'feed', 'id', 'revisions')
print(json.dumps([{name: entry.get(name) for name in shown} for entry in found], ensure_ascii=False, indent=1))
