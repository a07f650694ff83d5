//! Where the writers of a feed keep their clocks, as far as their language tells.

use super::day::Order;

/// A country whose language and time of day belong together.
///
/// China, Taiwan, Hong Kong, Macau, Singapore and Malaysia have been at +08:00 without summer time
/// since 1991, Japan and Korea at +09:00; feeds of these languages without a zone are those of
/// home-made systems, which write local time. Read as UTC such an entry would come from the future
/// for eight hours. No other language has one zone, so there a missing zone is UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Home {
    China,
    Japan,
    Korea,
    Israel,
    #[default]
    Unknown,
}

/// Regions where Chinese is written at +08:00.
const CHINESE: &[&str] = &["cn", "tw", "hk", "mo", "sg", "my"];

impl Home {
    /// From the words of the date itself, which tell more than a language tag that many systems
    /// leave at `en`; else from the language. `zh-US` is not at home in China.
    pub fn of(language: Option<&str>, text: &str) -> Self {
        let has = |words: &[&str]| !text.is_ascii() && words.iter().any(|word| text.contains(word));
        if has(&["년", "오전", "오후"]) {
            return Self::Korea;
        }
        if has(&["午前", "午後", "曜日", "令和", "平成"]) {
            return Self::Japan;
        }
        if has(&["上午", "下午", "早上", "晚上", "星期", "民國", "民国"]) {
            return Self::China;
        }
        let (language, region) = parts(language.unwrap_or_default());
        match language.as_str() {
            "zh" | "cmn" | "yue" | "nan" | "wuu" | "hak"
                if region.as_deref().is_none_or(|region| CHINESE.contains(&region)) =>
            {
                Self::China
            }
            "ja" => Self::Japan,
            "ko" => Self::Korea,
            "he" | "iw" => Self::Israel,
            _ => Self::Unknown,
        }
    }

    /// Minutes east of a clock without zone.
    pub fn minutes(self) -> i32 {
        match self {
            Self::China => 480,
            Self::Japan | Self::Korea => 540,
            Self::Israel | Self::Unknown => 0,
        }
    }

    /// Minutes east of a zone's name that means something else here than elsewhere: China Standard
    /// Time is not Central, Israel's is not India's.
    pub fn zone(self, name: &str) -> Option<i32> {
        match (self, name) {
            (Self::China, "cst") => Some(480),
            (Self::Israel, "ist") => Some(120),
            _ => None,
        }
    }
}

/// How 07/08/2021 is read in this language; `None` where both ways are in use: in English without
/// a country, and in Canada.
pub(super) fn order(language: Option<&str>) -> Option<Order> {
    let (language, region) = parts(language?);
    match (language.as_str(), region.as_deref()) {
        (_, Some("us" | "ph")) => Some(Order::Month),
        (_, Some("ca")) | ("en", None) | ("und" | "mul" | "", _) => None,
        (_, Some("hk" | "mo")) => Some(Order::Day),
        ("zh" | "ja" | "ko", _) => Some(Order::Year),
        _ => Some(Order::Day),
    }
}

/// Language and region of a tag, in small letters.
fn parts(tag: &str) -> (String, Option<String>) {
    let tag = tag.trim().to_ascii_lowercase();
    let mut subtags = tag.split(['-', '_']);
    let language = subtags.next().unwrap_or_default().to_owned();
    (language, subtags.find(|subtag| subtag.len() == 2).map(str::to_owned))
}
