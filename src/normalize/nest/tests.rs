use super::*;
use crate::normalize::soup::is_balanced;

#[test]
fn near_to_what_a_browser_builds() {
    for (soup, markup) in [
        ("", ""),
        ("<P Class=a b='\"'>x", "<p class=\"a\" b=\"&quot;\">x</p>"),
        ("<p>a<p>b<div>c</p>d", "<p>a</p><p>b</p><div>cd</div>"),
        ("<ul><li>a<ul><li>b<li>c</ul><li>d", "<ul><li>a<ul><li>b</li><li>c</li></ul></li><li>d</li></ul>"),
        ("<dl><dt>a<dd>b<dt>c", "<dl><dt>a</dt><dd>b</dd><dt>c</dt></dl>"),
        ("<h1>a</h2>b<h3>c<h4>d", "<h1>a</h1>b<h3>c</h3><h4>d</h4>"),
        ("<ruby>a<rp>(<rt>b<rp>)</ruby>", "<ruby>a<rp>(</rp><rt>b</rt><rp>)</rp></ruby>"),
        ("<div><span>a</div>b</span>", "<div><span>a</span></div>b"),
        // formatting
        ("<b><i>a</b>b</i>c", "<b><i>a</i></b><i>b</i>c"),
        ("<p><b>a<p>b</b>c", "<p><b>a</b></p><p><b>b</b>c</p>"),
        ("<b><p>a</b>b</p>c", "<b><p>ab</p></b>c"),
        (
            "<p><a href=x><figure><img></figure></a></p>",
            "<p><a href=\"x\"></a></p><figure><a href=\"x\"><img></a></figure>",
        ),
        ("<a>a<a>b", "<a>a</a><a>b</a>"),
        ("<a name=t><div>a<a href=x>b</a></div>", "            <div>a<a href=\"x\">b</a></div>"),
        (
            "<p><b>1<p><b>2<p><b>3<p><b>4<p>5",
            "<p><b>1</b></p><p><b><b>2</b></b></p>\
            <p><b><b><b>3</b></b></b></p><p><b><b><b><b>4</b></b></b></b></p><p><b><b><b>5</b></b></b></p>",
        ),
        // tables
        (
            "<table><td>a<td>b<tr><th>c</table>d",
            "<table><tbody><tr><td>a</td><td>b</td></tr>\
            <tr><th>c</th></tr></tbody></table>d",
        ),
        ("<table>a<br>b</table>", "<table><tbody><tr><td>a<br>b</td></tr></tbody></table>"),
        (
            "<table><caption>a<col><tr><td><b>b<td>c</table>d",
            "<table><caption>a</caption><col>\
            <tbody><tr><td><b>b</b></td><td>c</td></tr></tbody></table>d",
        ),
        ("<table><form><tr><td>a</form></table>", "<table><tbody><tr><td>a</td></tr></tbody></table>"),
        ("<p><b><table><td>a</table>b", "<p><b></b></p><table><tbody><tr><td>a</td></tr></tbody></table><b>b</b>"),
        ("<div><table><td></div>a", "<div><table><tbody><tr><td>a</td></tr></tbody></table></div>"),
        ("<tr><td>a</td></tr>b", "ab"),
        // what goes, what stays
        ("a<script>b</script><!-- c --><svg><path d=x/><title>t</title>d</svg>", "ad"),
        ("<noscript><img src=a></noscript>", "<img src=\"a\">"),
        ("<iframe src=a>b</iframe>c<form class=d>e</form>", "<iframe src=\"a\"></iframe>c<form class=\"d\">e</form>"),
        ("a</br>b</p></img>", "a<br>b"),
        ("1 < 2", "1 &lt; 2"),
    ] {
        assert_eq!(nested(soup), markup, "{soup}");
    }
}

#[test]
fn everything_has_a_bound() {
    for piece in ["<div>", "<b>", "<font color=1>", "<table><td>", "<p><i>x", "<ul><li>", "<a><div>", "<object>x"] {
        let markup = nested(&piece.repeat(3000));
        assert!(is_balanced(&markup), "{piece}");
    }
    let closed = "<div>".repeat(1000) + "a" + &"</div>".repeat(1000) + "<p>b</p>";
    assert_eq!(nested(&closed), "<div>".repeat(NESTED) + "a" + &"</div>".repeat(NESTED) + "<p>b</p>");
    let fonts: String =
        (0..3000).flat_map(|i| ["<p><font color=".to_owned(), i.to_string(), ">x".to_owned()]).collect();
    assert!(nested(&fonts).len() < fonts.len() * 20);
}

#[test]
fn long_texts_are_parted_between_references() {
    let text = "&nbsp;文".repeat(2000);
    let parted = nested(&text);
    assert!(parted.contains("<!---->"));
    assert_eq!(parted.replace("<!---->", ""), text);
    assert!(!parted.replace("&nbsp;", "").contains('&'));
    assert_eq!(nested(&format!("<p title=\"{text}\">a")), "<p>a</p>");
}
