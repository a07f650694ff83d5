//! The page on which people see how it stands with the feeds.

use askama::Template;

use super::{Words, rendered};
use crate::model::{Condition, FeedStatus, Reason, StatusSummary, Timestamp};
use crate::output::{Station, legal, title};

/// What the page says in its own words, in one language; the sentences of alarms and failures are English.
struct Labels {
    status: &'static str,
    alarms: &'static str,
    /// One of them, and several.
    alarms_counted: [&'static str; 2],
    calm: &'static str,
    troubled: &'static str,
    feeds_counted: [&'static str; 2],
    others: &'static str,
    none: &'static str,
    feed: &'static str,
    state: &'static str,
    last_new: &'static str,
    polled: &'static str,
    next: &'static str,
    entries: &'static str,
    failures: &'static str,
    never: &'static str,
    times: &'static str,
    follow: &'static str,
    alarm_feed: &'static str,
    /// In the order of `Condition::ALL`.
    states: [&'static str; 6],
    /// `min_interval`, hint, failures, held, gone, first, disabled; the schedule is what everybody expects.
    reasons: [&'static str; 7],
}

const ENGLISH: Labels = Labels {
    status: "Status",
    alarms: "Alarms",
    alarms_counted: ["alarm", "alarms"],
    calm: "No alarms.",
    troubled: "Feeds that need a look",
    feeds_counted: ["feed", "feeds"],
    others: "Feeds without trouble",
    none: "There are no feeds yet.",
    feed: "Feed",
    state: "State",
    last_new: "Last new entry",
    polled: "Last poll",
    next: "Next poll",
    entries: "Entries",
    failures: "failed polls in a row:",
    never: "never",
    times: "Times are UTC. The next poll is that of the feed's schedule where nothing else is said. Entries are those of \
            the feed's last document.",
    follow: "To be told of alarms, follow",
    alarm_feed: "the alarm feed (Atom)",
    states: ["gone", "failing", "held", "new", "ok", "disabled"],
    reasons: [
        "not sooner than fetch.min_interval",
        "its publisher asks for longer",
        "a wait after failures",
        "its host asks to be left alone",
        "it has ended and is asked once a month",
        "for the first time",
        "it is not polled",
    ],
};

const CHINESE: Labels = Labels {
    status: "运行状态",
    alarms: "警报",
    alarms_counted: ["个警报"; 2],
    calm: "没有警报。",
    troubled: "需要查看的来源",
    feeds_counted: ["个来源"; 2],
    others: "正常的来源",
    none: "还没有来源。",
    feed: "来源",
    state: "状态",
    last_new: "最近新文章",
    polled: "上次抓取",
    next: "下次抓取",
    entries: "条数",
    failures: "连续失败次数：",
    never: "从未",
    times: "时间为协调世界时（UTC）。下次抓取若无说明，即按该来源的计划。条数指该来源最近一次文档中的文章数。",
    follow: "要接收警报，请订阅",
    alarm_feed: "警报订阅源（Atom）",
    states: ["已终止", "失败", "暂停", "新增", "正常", "停用"],
    reasons: [
        "不早于 fetch.min_interval",
        "来源要求放慢",
        "失败后等待",
        "服务器要求暂停",
        "已终止，每月询问一次",
        "首次抓取",
        "不抓取",
    ],
};

const TRADITIONAL: Labels = Labels {
    status: "運行狀態",
    alarms: "警報",
    alarms_counted: ["個警報"; 2],
    calm: "沒有警報。",
    troubled: "需要查看的來源",
    feeds_counted: ["個來源"; 2],
    others: "正常的來源",
    none: "還沒有來源。",
    feed: "來源",
    state: "狀態",
    last_new: "最近新文章",
    polled: "上次抓取",
    next: "下次抓取",
    entries: "條數",
    failures: "連續失敗次數：",
    never: "從未",
    times: "時間為協調世界時（UTC）。下次抓取若無說明，即按該來源的計劃。條數指該來源最近一次文檔中的文章數。",
    follow: "要接收警報，請訂閱",
    alarm_feed: "警報訂閱源（Atom）",
    states: ["已終止", "失敗", "暫停", "新增", "正常", "停用"],
    reasons: [
        "不早於 fetch.min_interval",
        "來源要求放慢",
        "失敗後等待",
        "伺服器要求暫停",
        "已終止，每月詢問一次",
        "首次抓取",
        "不抓取",
    ],
};

impl Labels {
    fn of(words: &Words) -> &'static Self {
        match words.language {
            "zh-Hans" => &CHINESE,
            "zh-Hant" => &TRADITIONAL,
            _ => &ENGLISH,
        }
    }

    fn state(&self, state: Condition) -> &'static str {
        let place = Condition::ALL.into_iter().position(|known| known == state).unwrap_or_default();
        self.states[place]
    }

    fn reason(&self, why: Reason) -> Option<&'static str> {
        let place = match why {
            Reason::Schedule => return None,
            Reason::MinInterval => 0,
            Reason::Hint => 1,
            Reason::Failures => 2,
            Reason::Held => 3,
            Reason::Gone => 4,
            Reason::First => 5,
            Reason::Disabled => 6,
        };
        Some(self.reasons[place])
    }
}

/// The word for so many.
fn counted(forms: &[&'static str; 2], n: usize) -> &'static str {
    forms[usize::from(n != 1)]
}

struct Moment {
    machine: String,
    text: String,
}

impl Moment {
    fn of(time: Timestamp) -> Self {
        Self { machine: time.rfc3339_millis(), text: time.utc().format("%Y-%m-%d %H:%M").to_string() }
    }
}

struct Row {
    id: String,
    name: String,
    word: &'static str,
    state: &'static str,
    last_new: Option<Moment>,
    polled: Option<Moment>,
    next: Option<Moment>,
    why: Option<&'static str>,
    entries: usize,
    failures: u32,
    error: Option<String>,
    /// What is the matter, and in what words.
    alarms: Vec<(&'static str, String)>,
}

#[derive(Template)]
#[template(path = "status.html")]
struct Page<'a> {
    words: &'static Words,
    labels: &'static Labels,
    root: &'static str,
    language: Option<&'a str>,
    site: String,
    feeds: usize,
    alarms: usize,
    last_new: Option<Moment>,
    /// Only those that occur.
    states: Vec<(&'static str, &'static str, usize)>,
    troubled: Vec<Row>,
    others: Vec<Row>,
}

/// The status page: totals, the feeds that need somebody with their sentences, and a table of all others. Nothing on it
/// is secret, and its bytes change only where something did.
pub fn status_page(station: &Station, feeds: &[FeedStatus]) -> Vec<u8> {
    let words = Words::of(station.language.as_deref());
    let labels = Labels::of(words);
    let mut feeds: Vec<&FeedStatus> = feeds.iter().collect();
    feeds.sort_by(|a, b| a.rank().cmp(&b.rank()));
    let owned: Vec<FeedStatus> = feeds.iter().map(|feed| (*feed).clone()).collect();
    let all = StatusSummary::of(&owned);
    let (troubled, others): (Vec<&FeedStatus>, Vec<&FeedStatus>) =
        feeds.into_iter().partition(|feed| feed.is_trouble());
    let rows = |feeds: Vec<&FeedStatus>| feeds.into_iter().map(|feed| row(labels, feed)).collect();
    let counted = Condition::ALL.into_iter().map(|state| (state.word(), labels.state(state), all.count(state)));
    let page = Page {
        words,
        labels,
        root: "",
        language: station.language.as_deref(),
        site: title(&station.title),
        feeds: all.feeds,
        alarms: all.alarms,
        last_new: all.last_new.map(Moment::of),
        states: counted.filter(|(_, _, count)| *count > 0).collect(),
        troubled: rows(troubled),
        others: rows(others),
    };
    rendered(&page)
}

fn row(labels: &'static Labels, feed: &FeedStatus) -> Row {
    Row {
        id: feed.feed.clone(),
        name: title(&feed.name),
        word: feed.state.word(),
        state: labels.state(feed.state),
        last_new: feed.last_new.map(Moment::of),
        polled: feed.polled.map(Moment::of),
        next: feed.next.map(Moment::of),
        why: feed.why.and_then(|why| labels.reason(why)),
        entries: feed.entries,
        failures: feed.failures,
        // An alarm about failing holds it already.
        error: feed.error.as_deref().map(legal).filter(|_| feed.alarms.is_empty()),
        alarms: feed.alarms.iter().map(|alarm| (alarm.kind.word(), legal(&alarm.text))).collect(),
    }
}
