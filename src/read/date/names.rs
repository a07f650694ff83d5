//! Names of months and eras.

use std::sync::LazyLock;

/// The year before the first of the Republic of China.
pub(super) const REPUBLIC: u32 = 1911;

/// Month names, a language a line and a month a word, as `plain` leaves them: small letters
/// without accents, й as и. A language that bends its month names has a line for each form.
const MONTHS: &[&str] = &[
    // English
    "january february march april may june july august september october november december",
    // German, and as Austria says it
    "januar februar marz april mai juni juli august september oktober november dezember",
    "janner feber maerz april mai juni juli august september oktober november dezember",
    // French
    "janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre",
    // Russian: of July; July
    "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    "январь февраль март апрель маи июнь июль август сентябрь октябрь ноябрь декабрь",
    // Spanish
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    // Portuguese
    "janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro dezembro",
    // Italian
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    // Dutch
    "januari februari maart april mei juni juli augustus september oktober november december",
    // Polish: of July; July
    "stycznia lutego marca kwietnia maja czerwca lipca sierpnia wrzesnia pazdziernika listopada grudnia",
    "styczen luty marzec kwiecien maj czerwiec lipiec sierpien wrzesien pazdziernik listopad grudzien",
    // Turkish
    "ocak subat mart nisan mayis haziran temmuz agustos eylul ekim kasim aralik",
    // Greek: of July; July
    "ιανουαριου φεβρουαριου μαρτιου απριλιου μαιου ιουνιου ιουλιου αυγουστου σεπτεμβριου οκτωβριου νοεμβριου δεκεμβριου",
    "ιανουαριοσ φεβρουαριοσ μαρτιοσ απριλιοσ μαιοσ ιουνιοσ ιουλιοσ αυγουστοσ σεπτεμβριοσ οκτωβριοσ νοεμβριοσ δεκεμβριοσ",
    // Hungarian
    "januar februar marcius aprilis majus junius julius augusztus szeptember oktober november december",
    // Swedish; Danish and Norwegian
    "januari februari mars april maj juni juli augusti september oktober november december",
    "januar februar marts april mai juni juli august september oktober november desember",
    // Finnish, as the genitive and thereby the nominative
    "tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesakuuta heinakuuta elokuuta syyskuuta lokakuuta marraskuuta joulukuuta",
    // Ukrainian: of July; July
    "січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня",
    "січень лютии березень квітень травень червень липень серпень вересень жовтень листопад грудень",
    // Czech: of July; July
    "ledna unora brezna dubna kvetna cervna cervence srpna zari rijna listopadu prosince",
    "leden unor brezen duben kveten cerven cervenec srpen zari rijen listopad prosinec",
    // Romanian
    "ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie",
    // Catalan
    "gener febrer marc abril maig juny juliol agost setembre octubre novembre desembre",
    // Indonesian
    "januari februari maret april mei juni juli agustus september oktober november desember",
];

/// Short names that are no beginning of the long one.
const SHORT: &[(&str, u32)] = &[("mrz", 3), ("mrt", 3)];

/// The month of an English three-letter name in any case.
pub(super) fn short_month(name: [u8; 3]) -> Option<u32> {
    let name = name.map(|b| b.to_ascii_lowercase());
    let names = b"janfebmaraprmayjunjulaugsepoctnovdec";
    let at = names.chunks_exact(3).position(|known| known == name)?;
    u32::try_from(at + 1).ok()
}

/// The month of a name, or of its beginning of three letters or more. English goes first (Finnish
/// `mar` would be November), and what begins two months is none: French `jui`.
pub(super) fn month(word: &str) -> Option<u32> {
    word.chars().nth(2)?;
    let names = &NAMES[NAMES.partition_point(|(name, _)| *name < word)..];
    let mut begun = names.iter().take_while(|(name, _)| name.starts_with(word));
    let (first, month) = *begun.next()?;
    if first == word || begun.all(|(_, other)| *other == month) {
        return Some(month);
    }
    MONTHS[0].split(' ').zip(1..).find(|(name, _)| name.starts_with(word)).map(|(_, month)| month)
}

/// The month of a Chinese number, as Java writes it: 七月.
pub(super) fn chinese_month(word: &str) -> Option<u32> {
    let names = ["一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二"];
    names.iter().zip(1..).find(|(name, _)| **name == word).map(|(_, month)| month)
}

/// Every name and its month, in order of names.
static NAMES: LazyLock<Vec<(&str, u32)>> = LazyLock::new(|| {
    let languages = MONTHS.iter().flat_map(|language| language.split(' ').zip(1..));
    let mut names: Vec<(&str, u32)> = languages.chain(SHORT.iter().copied()).collect();
    names.sort_unstable();
    names.dedup();
    names
});

/// The year before the first of an era that the word ends with.
pub(super) fn era(word: &str) -> Option<u32> {
    let eras = [("民國", REPUBLIC), ("民国", REPUBLIC), ("令和", 2018), ("平成", 1988)];
    eras.iter().find(|(name, _)| word.ends_with(name)).map(|(_, before)| *before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_its_month_and_english_beginnings_are_english() {
        for language in MONTHS {
            assert_eq!(language.split(' ').count(), 12, "{language}");
            for (name, number) in language.split(' ').zip(1..) {
                assert_eq!(month(name), Some(number), "{name}");
            }
        }
        for (name, number) in MONTHS[0].split(' ').zip(1..) {
            for letters in 3..=name.len() {
                assert_eq!(month(&name[..letters]), Some(number), "{name}");
            }
        }
        assert_eq!((month("jui"), month("ju"), month("foo"), month("julyy")), (None, None, None, None));
    }
}
